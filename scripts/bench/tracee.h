/* What classic.c and onestop.c share: a Go target under ptrace on linux/amd64.
 * Measuring sticks for the harness, not a part of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif
#define NT_PRSTATUS 1
#define DEBUGREG(i) (offsetof(struct user, u_debugreg) + 8 * (i))
#define EVENT(status) ((status) >> 16)
#define MAX_THREADS 512

enum wait_mode { WAITPID, SIGTIMEDWAIT, SPIN };

struct tracee {
    pid_t pid;                 /* thread group leader */
    int mem;                   /* /proc/PID/mem */
    int to_target, from_target; /* its stdin and stdout */
    enum wait_mode wait_mode;
    pid_t threads[MAX_THREADS];
    int thread_count;
    long stops; /* all that were reaped */
};

static void die(const char *what) {
    fprintf(stderr, "%s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static void pt(long request, pid_t tid, void *addr, void *data, const char *what) {
    if (ptrace(request, tid, addr, data) == -1) die(what);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void pin(pid_t pid, int cpu) {
    cpu_set_t set;
    if (cpu < 0) return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(pid, sizeof set, &set)) die("sched_setaffinity");
}

static void cont(pid_t tid, int signal) {
    pt(PTRACE_CONT, tid, 0, (void *)(long)signal, "PTRACE_CONT");
}

static void write_memory(struct tracee *t, uint64_t addr, const void *from, size_t n) {
    if (pwrite(t->mem, from, n, (off_t)addr) != (ssize_t)n) die("writing target memory");
}

static void get_regs(pid_t tid, struct user_regs_struct *regs) {
    pt(PTRACE_GETREGS, tid, 0, regs, "PTRACE_GETREGS");
}

static void set_regs(pid_t tid, struct user_regs_struct *regs) {
    pt(PTRACE_SETREGS, tid, 0, regs, "PTRACE_SETREGS");
}

/* XSTATE comes and goes as one block; its size is what the kernel fills in. */
static char xstate_buffer[16384] __attribute__((aligned(64)));
static struct iovec xstate = {xstate_buffer, sizeof xstate_buffer};

static void save_xstate(pid_t tid) {
    xstate.iov_len = sizeof xstate_buffer;
    pt(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &xstate, "PTRACE_GETREGSET");
}

static void restore_xstate(pid_t tid) {
    pt(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &xstate, "PTRACE_SETREGSET");
}

/* One stop or end of any thread. SIGCHLD is not queued once a stop: look before sleeping. */
static pid_t next_event(struct tracee *t, int *status) {
    pid_t tid;
    if (t->wait_mode == WAITPID) {
        tid = waitpid(-1, status, __WALL);
    } else {
        static sigset_t child;
        const struct timespec limit = {1, 0};
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        while ((tid = waitpid(-1, status, __WALL | WNOHANG)) == 0)
            if (t->wait_mode == SIGTIMEDWAIT) sigtimedwait(&child, NULL, &limit);
    }
    if (tid == -1) die("waitpid");
    t->stops++;
    return tid;
}

static int known(struct tracee *t, pid_t tid) {
    for (int i = 0; i < t->thread_count; i++)
        if (t->threads[i] == tid) return 1;
    return 0;
}

static void add_thread(struct tracee *t, pid_t tid) {
    if (known(t, tid)) return;
    if (t->thread_count == MAX_THREADS) die("too many threads");
    t->threads[t->thread_count++] = tid;
}

static void drop_thread(struct tracee *t, pid_t tid) {
    for (int i = 0; i < t->thread_count; i++)
        if (t->threads[i] == tid) t->threads[i] = t->threads[--t->thread_count];
}

/* Runs the target on after an event that is not the caller's: a new thread, an exit, a group
 * stop, or a signal of its own. Returns 0 if it is a SIGTRAP, which the caller must explain. */
static int passed_on(struct tracee *t, pid_t tid, int status) {
    if (!WIFSTOPPED(status)) {
        if (tid == t->pid) die("the target ended");
        drop_thread(t, tid);
        return 1;
    }
    add_thread(t, tid); /* the stop of a new thread may come before its parent's clone event */
    int sig = WSTOPSIG(status);
    if (EVENT(status) == PTRACE_EVENT_STOP && sig != SIGTRAP)
        pt(PTRACE_LISTEN, tid, 0, 0, "PTRACE_LISTEN");
    else if (EVENT(status))
        cont(tid, 0);
    else if (sig == SIGTRAP)
        return 0;
    else
        cont(tid, sig); /* SIGURG above all */
    return 1;
}

static void launch(struct tracee *t, char **argv, int cpu) {
    int in[2], out[2];
    char line[64] = "", path[64];
    size_t n = 0;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) die("pipe");
    if ((t->pid = fork()) == 0) {
        pin(0, cpu);
        dup2(in[0], 0);
        dup2(out[1], 1);
        execv(argv[0], argv);
        die(argv[0]);
    }
    close(in[0]);
    close(out[1]);
    t->to_target = in[1];
    t->from_target = out[0];
    while (n < sizeof line - 1 && !strchr(line, '\n'))
        if (read(out[0], line + n++, 1) != 1) die("the target ended before it was ready");
    if (strcmp(line, "ready\n")) die("the target did not say that it is ready");
    snprintf(path, sizeof path, "/proc/%d/mem", t->pid);
    if ((t->mem = open(path, O_RDWR | O_CLOEXEC)) == -1) die(path);
    if (t->wait_mode != WAITPID) {
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
    }
}

/* Seizes every thread, until a look at the list finds none that is new. */
static void seize(struct tracee *t) {
    const long options = PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    char path[64];
    int before;
    snprintf(path, sizeof path, "/proc/%d/task", t->pid);
    do {
        struct dirent *entry;
        DIR *tasks = opendir(path);
        if (!tasks) die(path);
        before = t->thread_count;
        while ((entry = readdir(tasks))) {
            pid_t tid = atoi(entry->d_name);
            if (tid <= 0 || known(t, tid)) continue;
            if (ptrace(PTRACE_SEIZE, tid, 0, (void *)options) == -1) {
                if (errno == EPERM) continue; /* a clone of a seized thread: already ours */
                die("PTRACE_SEIZE");
            }
            add_thread(t, tid);
        }
        closedir(tasks);
    } while (t->thread_count != before);
}

/* Sets (or, with 0, clears) hardware execution breakpoint 0 of a stopped thread. */
static void set_breakpoint(pid_t tid, uint64_t addr) {
    pt(PTRACE_POKEUSER, tid, (void *)DEBUGREG(7), 0, "DR7");
    if (!addr) return;
    pt(PTRACE_POKEUSER, tid, (void *)DEBUGREG(0), (void *)addr, "DR0");
    pt(PTRACE_POKEUSER, tid, (void *)DEBUGREG(7), (void *)1L, "DR7");
}

static int is_breakpoint_hit(pid_t tid) {
    siginfo_t info;
    pt(PTRACE_GETSIGINFO, tid, 0, &info, "PTRACE_GETSIGINFO");
    return info.si_code == TRAP_HWBKPT;
}

/* Sets (addr) or clears (0) the breakpoint of each thread but `hit`, stopping each in turn. Goes on
 * until that is done and, with addr, one thread stands at it. Returns that thread, stopped. */
static pid_t sweep(struct tracee *t, uint64_t addr, pid_t hit) {
    pid_t todo[MAX_THREADS], tid;
    int left = 0, status;
    for (int i = 0; i < t->thread_count; i++)
        if (t->threads[i] != hit && !ptrace(PTRACE_INTERRUPT, t->threads[i], 0, 0))
            todo[left++] = t->threads[i];
    while (left || !hit) {
        tid = next_event(t, &status);
        for (int i = 0; i < left; i++)
            if (todo[i] == tid) {
                /* any stop will do: if it is not the interrupt's, that one may follow, harmless */
                if (WIFSTOPPED(status)) set_breakpoint(tid, addr);
                todo[i] = todo[--left];
                break;
            }
        if (passed_on(t, tid, status)) continue;
        if (!is_breakpoint_hit(tid)) die("a trap that nobody asked for");
        set_breakpoint(tid, 0);
        if (hit)
            cont(tid, 0);
        else
            hit = tid;
    }
    return hit;
}

/* Runs the target until one thread stands at addr; the others run on, with nothing armed. */
static pid_t stop_at(struct tracee *t, uint64_t addr) {
    return sweep(t, 0, sweep(t, addr, 0));
}

/* Lets the target end by itself and returns its exit code: 0 if its computation, which checks
 * itself, never went wrong. */
static int finish(struct tracee *t, pid_t stopped) {
    int status;
    pid_t tid;
    set_breakpoint(stopped, 0);
    close(t->to_target);
    cont(stopped, 0);
    for (;;) {
        tid = next_event(t, &status);
        if (tid == t->pid && !WIFSTOPPED(status)) break;
        if (!passed_on(t, tid, status)) die("a trap after the end");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
