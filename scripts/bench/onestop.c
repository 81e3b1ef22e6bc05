/* The fast path of the harness in C: one stop, N injections of main.add(2, 3), three stops each.
 *
 *     onestop [options] DEBUGCALL ADD STOP N TARGET [ARGS]
 *
 * DEBUGCALL, ADD, STOP: addresses (hex) of runtime.debugCallV2, main.add and of a safe point that
 * the main goroutine passes. At the trap with status 16 all registers are written as saved, PC, SP,
 * flags and XSTATE included: the tail of debugCallV2 never runs, and the thread stands where the
 * next injection begins. */
#include "tracee.h"

#include <getopt.h>

enum { DISPATCH = 0, RETURN = 1, RESTORE = 16 };

/* debugCallV2's frame at status 16 (runtime/asm_amd64.s): 0xa8 bytes below the interrupted SP, with
 * return PC and BP pushed above 19 words, of which the upper 15 hold the registers. */
enum { FRAME_BYTES = 0xa8, SAVED_OFFSET = 0x20, SAVED_WORDS = 17 };

static struct tracee t;
static struct user_regs_struct saved; /* of the stop; the thread does not run in between */
static int regset, save_each, xstate_restore = 1, poke, siginfo, compare = 1;

static void read_registers(pid_t tid, struct user_regs_struct *regs) {
    struct iovec v = {regs, sizeof *regs};
    if (regset)
        pt(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &v, "PTRACE_GETREGSET");
    else
        get_regs(tid, regs);
}

static void write_registers(pid_t tid, struct user_regs_struct *regs) {
    struct iovec v = {regs, sizeof *regs};
    if (regset)
        pt(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &v, "PTRACE_SETREGSET");
    else
        set_regs(tid, regs);
}

static void save(pid_t tid) {
    read_registers(tid, &saved);
    save_xstate(tid);
}

static void push(pid_t tid, uint64_t sp, uint64_t value) {
    if (poke)
        pt(PTRACE_POKEDATA, tid, (void *)sp, (void *)value, "PTRACE_POKEDATA");
    else
        write_memory(&t, sp, &value, 8);
}

/* Runs on to the next trap of the protocol, which must come on the same thread. */
static void run_to_trap(pid_t tid, unsigned want, struct user_regs_struct *regs) {
    int status;
    pid_t stopped;
    cont(tid, 0);
    do
        stopped = next_event(&t, &status);
    while (passed_on(&t, stopped, status));
    if (stopped != tid) die("the trap came on another thread");
    if (siginfo && is_breakpoint_hit(tid)) die("a breakpoint that nobody set");
    read_registers(tid, regs);
    if (regs->r12 != want) die("a trap with another status than the protocol asks for");
}

static void inject(pid_t tid, uint64_t debugcall, uint64_t add) {
    struct user_regs_struct regs;
    if (save_each) save(tid);

    uint64_t frame[3] = {0, 0, saved.rip}; /* frame size, free, return PC */
    write_memory(&t, saved.rsp - sizeof frame, frame, sizeof frame);
    regs = saved;
    regs.rsp -= 8;
    regs.rip = debugcall;
    regs.orig_rax = -1;
    write_registers(tid, &regs);
    run_to_trap(tid, DISPATCH, &regs);

    regs.rsp -= 8;
    push(tid, regs.rsp, regs.rip);
    regs.rip = add;
    regs.rax = 2;
    regs.rbx = 3;
    write_registers(tid, &regs);
    run_to_trap(tid, RETURN, &regs);
    if (regs.rax != 5) die("main.add(2, 3) is not 5");

    run_to_trap(tid, RESTORE, &regs);
    if (regs.rsp != saved.rsp - FRAME_BYTES) die("the stack moved");
    if (compare) {
        const uint64_t want[SAVED_WORDS] = {
            saved.r15, saved.r14, saved.r13, saved.r12, saved.r11, saved.r10,
            saved.r9,  saved.r8,  saved.rdi, saved.rsi, saved.rsp - 16, /* BP as a frame pointer */
            saved.rbx, saved.rdx, saved.rcx, saved.rax, saved.rbp, saved.rip};
        uint64_t found[SAVED_WORDS];
        read_memory(&t, regs.rsp + SAVED_OFFSET, found, sizeof found);
        if (memcmp(found, want, sizeof found)) die("debugCallV2 saved other registers than ours");
    }
    if (xstate_restore) restore_xstate(tid);
    write_registers(tid, &saved);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"wait", 1, 0, 'w'},     {"regset", 0, &regset, 1},       {"save-each", 0, &save_each, 1},
        {"poke", 0, &poke, 1},   {"siginfo", 0, &siginfo, 1},     {"no-xstate", 0, &xstate_restore, 0},
        {"cpu", 1, 0, 'c'},      {"no-compare", 0, &compare, 0},  {"target-cpu", 1, 0, 'C'},
        {0, 0, 0, 0}};
    int option, cpu = -1, target_cpu = -1;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'c') cpu = atoi(optarg);
        if (option == 'C') target_cpu = atoi(optarg);
        if (option == 'w') t.wait_mode = *optarg == 'w' ? WAITPID : SIGTIMEDWAIT;
        if (option == 'w' && !strcmp(optarg, "spin")) t.wait_mode = SPIN;
        if (option == '?') return 2;
    }
    if (argc - optind < 5) {
        fprintf(stderr, "usage: onestop [options] DEBUGCALL ADD STOP N TARGET [ARGS]\n");
        return 2;
    }
    argv += optind;
    uint64_t debugcall = strtoull(argv[0], 0, 16), add = strtoull(argv[1], 0, 16);
    uint64_t stop = strtoull(argv[2], 0, 16);
    long n = atol(argv[3]);

    launch(&t, argv + 4, target_cpu);
    pin(0, cpu);
    seize(&t);
    pid_t tid = stop_at(&t, stop);
    save(tid);
    long stops = t.stops;
    double start = now();
    for (long i = 0; i < n; i++) inject(tid, debugcall, add);
    double seconds = now() - start;
    stops = t.stops - stops;
    print_json("onestop", n, seconds, stops);
    finish(&t);
    return 0;
}
