/* Debug calls the classic way: at the trap with status 16 the registers but PC and SP are written
 * and debugCallV2's own tail runs; then the thread is stopped again for the next call, by
 * interrupting it until it stands in the function STOP..END, or with --breakpoint by a hardware
 * breakpoint on the saved PC, the quickest way there is.
 *
 * By interrupting, the flags stay as the tail leaves them: the known damage of the classic way. A
 * breakpoint cures it: the flags are written there. */
#include "protocol.h"

/* Interrupts the thread, or those after it if the goroutine has moved on to another one, until one
 * is stopped inside the function. */
static pid_t interrupt_inside(pid_t tid) {
    struct tracee *t = &bench.t;
    struct user_regs_struct regs;
    int status;
    for (int tries = 0;; tries++) {
        usleep(bench.rest); /* an interrupt sent at once stops it before it has left the kernel */
        if (tries % 8 == 7) tid = t->threads[tries / 8 % t->thread_count];
        if (ptrace(PTRACE_INTERRUPT, tid, 0, 0)) continue;
        for (;;) {
            pid_t stopped = next_event(t, &status);
            if (stopped == tid && (!WIFSTOPPED(status) || EVENT(status) == PTRACE_EVENT_STOP)) break;
            if (!passed_on(t, stopped, status)) die("a trap that nobody asked for");
        }
        if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) {
            get_regs(tid, &regs);
            if (regs.rip >= bench.stop && regs.rip < bench.end) return tid;
        }
        passed_on(t, tid, status);
    }
}

/* Waits for the breakpoint on the saved PC and writes the flags there. */
static void await_breakpoint(pid_t tid) {
    int status;
    pid_t stopped;
    do
        stopped = next_event(&bench.t, &status);
    while (passed_on(&bench.t, stopped, status));
    if (stopped != tid || !is_breakpoint_hit(tid)) die("a trap that nobody asked for");
    set_regs(tid, &saved);
}

/* Returns the thread that is ready for the next call. */
static pid_t inject(pid_t tid, int *accepted) {
    struct user_regs_struct regs;
    save(tid);
    *accepted = call_add(tid, &regs);
    uint64_t pc = regs.rip, sp = regs.rsp;
    regs = saved;
    regs.rip = pc;
    regs.rsp = sp;
    regs.orig_rax = -1;
    if (bench.keep_xstate) restore_xstate(tid);
    set_regs(tid, &regs);
    cont(tid, 0);
    if (!bench.breakpoint) return interrupt_inside(tid);
    await_breakpoint(tid);
    return tid;
}

int main(int argc, char **argv) {
    read_command_line(argc, argv);
    pid_t tid = launch_and_stop();
    if (bench.breakpoint) set_breakpoint(tid, bench.stop);
    long stops = bench.t.stops, refusals = 0;
    double start = now();
    for (long done = 0; done < bench.n;) {
        int accepted;
        tid = inject(tid, &accepted);
        if (accepted)
            done++;
        else
            refusals++;
    }
    double seconds = now() - start;
    report("classic", seconds, bench.t.stops - stops, refusals, tid);
    return 0;
}
