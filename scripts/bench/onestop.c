/* The fast path of the harness in C: one stop, N injections of main.add(2, 3) from it, three stops
 * each. At the trap with status 16 all registers are written as saved, PC, SP, flags and XSTATE
 * included: the tail of debugCallV2 never runs, and the thread stands where the next injection
 * begins. Only this thread stops; the others run all the time. */
#include "protocol.h"

/* debugCallV2's frame at status 16: 0xa8 bytes below the interrupted SP, with the return PC and BP
 * pushed above 19 words, of which the upper 15 hold the registers. */
enum { FRAME_BYTES = 0xa8, SAVED_OFFSET = 0x20, SAVED_WORDS = 17 };

static void check_frame(const struct user_regs_struct *regs) {
    const uint64_t want[SAVED_WORDS] = {
        saved.r15, saved.r14, saved.r13, saved.r12, saved.r11, saved.r10,
        saved.r9,  saved.r8,  saved.rdi, saved.rsi, saved.rsp - 16, /* BP as frame pointer */
        saved.rbx, saved.rdx, saved.rcx, saved.rax, saved.rbp,      saved.rip};
    uint64_t found[SAVED_WORDS];
    if (regs->rsp != saved.rsp - FRAME_BYTES) die("the stack moved");
    if (pread(bench.t.mem, found, sizeof found, (off_t)(regs->rsp + SAVED_OFFSET)) != sizeof found)
        die("reading target memory");
    if (memcmp(found, want, sizeof found)) die("debugCallV2 saved other registers than ours");
}

static void inject(pid_t tid) {
    struct user_regs_struct regs;
    if (bench.save_each) save(tid);
    if (!call_add(tid, &regs)) die("refused at the entry of a function");
    check_frame(&regs);
    if (bench.keep_xstate) restore_xstate(tid);
    set_regs(tid, &saved);
}

int main(int argc, char **argv) {
    read_command_line(argc, argv);
    pid_t tid = launch_and_stop();
    long stops = bench.t.stops;
    double start = now();
    save(tid);
    for (long i = 0; i < bench.n; i++) inject(tid);
    double seconds = now() - start;
    report("onestop", seconds, bench.t.stops - stops, 0, tid);
    return 0;
}
