/* The debug call protocol of runtime/asm_amd64.s, as far as classic.c and onestop.c share it, and
 * their command line:
 *
 *     NAME [options] DEBUGCALL ADD STOP END N TARGET [ARGS]
 *
 * DEBUGCALL and ADD: addresses (hex) of runtime.debugCallV2 and main.add. STOP and END: a function
 * that the main goroutine calls again and again; its entry is where the first injection begins. */
#include "tracee.h"

enum { DISPATCH = 0, RETURN = 1, REFUSAL = 8, RESTORE = 16 };

struct bench {
    uint64_t debugcall, add, stop, end;
    long n;
    char **target;
    int cpu, target_cpu;       /* -1: wherever the kernel likes */
    int save_each;             /* onestop: save at each injection, not once a stop */
    int keep_xstate;           /* 0: neither save nor restore it */
    int breakpoint;            /* classic: stop again by a breakpoint, not by interrupting */
    int rest;                  /* classic: microseconds before each interrupt */
    struct tracee t;
};

static struct bench bench = {.cpu = -1, .target_cpu = -1, .keep_xstate = 1, .rest = 1};
static struct user_regs_struct saved; /* of the interrupted goroutine */

static void read_command_line(int argc, char **argv) {
    static const struct option options[] = {{"wait", 1, 0, 'w'},
                                            {"cpu", 1, 0, 'c'},
                                            {"target-cpu", 1, 0, 'C'},
                                            {"rest", 1, 0, 'r'},
                                            {"save-each", 0, &bench.save_each, 1},
                                            {"no-xstate", 0, &bench.keep_xstate, 0},
                                            {"breakpoint", 0, &bench.breakpoint, 1},
                                            {0, 0, 0, 0}};
    static const char *const waits[] = {"waitpid", "sigtimedwait", "spin"};
    int option, bad = 0;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'c') bench.cpu = atoi(optarg);
        if (option == 'r') bench.rest = atoi(optarg);
        if (option == 'C') bench.target_cpu = atoi(optarg);
        if (option == 'w') {
            int mode = 0;
            while (mode < 3 && strcmp(optarg, waits[mode])) mode++;
            if (mode == 3) bad = 1;
            bench.t.wait_mode = mode;
        }
        if (option == '?') bad = 1;
    }
    argv += optind;
    if (bad || argc - optind < 6) {
        fprintf(stderr, "arguments: [options] DEBUGCALL ADD STOP END N TARGET [ARGS]\n");
        exit(2);
    }
    bench.debugcall = strtoull(argv[0], 0, 16);
    bench.add = strtoull(argv[1], 0, 16);
    bench.stop = strtoull(argv[2], 0, 16);
    bench.end = strtoull(argv[3], 0, 16);
    bench.n = atol(argv[4]);
    bench.target = argv + 5;
}

static pid_t launch_and_stop(void) {
    launch(&bench.t, bench.target, bench.target_cpu);
    pin(0, bench.cpu);
    seize(&bench.t);
    return stop_at(&bench.t, bench.stop);
}

static void save(pid_t tid) {
    get_regs(tid, &saved);
    if (bench.keep_xstate) save_xstate(tid);
}

/* Runs on to the next trap, which must come on the same thread, and returns its status. */
static unsigned run_to_trap(pid_t tid, struct user_regs_struct *regs) {
    int status;
    pid_t stopped;
    cont(tid, 0);
    do
        stopped = next_event(&bench.t, &status);
    while (passed_on(&bench.t, stopped, status));
    if (stopped != tid) die("the trap came on another thread");
    get_regs(tid, regs);
    return (unsigned)regs->r12;
}

/* From the saved registers to the trap with status 16. Returns 0 if the runtime refused. */
static int call_add(pid_t tid, struct user_regs_struct *regs) {
    const uint64_t frame[3] = {0, 0, saved.rip}; /* frame size, not used, return PC */
    write_memory(&bench.t, saved.rsp - sizeof frame, frame, sizeof frame);
    *regs = saved;
    regs->rsp -= 8;
    regs->rip = bench.debugcall;
    regs->orig_rax = -1;
    set_regs(tid, regs);

    unsigned status = run_to_trap(tid, regs);
    int accepted = status == DISPATCH;
    if (accepted) {
        uint64_t trap_pc = regs->rip;
        regs->rsp -= 8;
        write_memory(&bench.t, regs->rsp, &trap_pc, sizeof trap_pc);
        regs->rip = bench.add;
        regs->rax = 2;
        regs->rbx = 3;
        set_regs(tid, regs);
        if (run_to_trap(tid, regs) != RETURN) die("no return after the dispatch");
        if (regs->rax != 5) die("main.add(2, 3) is not 5");
    } else if (status != REFUSAL) {
        die("the first trap is neither a dispatch nor a refusal");
    }
    if (run_to_trap(tid, regs) != RESTORE) die("no restore at the end");
    return accepted;
}

/* Ends the target and prints the line of JSON. */
static void report(const char *name, double seconds, long stops, long refusals, pid_t tid) {
    int code = finish(&bench.t, tid);
    printf("{\"name\": \"%s\", \"injections\": %ld, \"seconds\": %.4f, \"per_second\": %.1f, "
           "\"stops\": %ld, \"refusals\": %ld, \"target_exit\": %d}\n",
           name, bench.n, seconds, bench.n / seconds, stops, refusals, code);
}
