/*
 * The lab's workload: what a VMM and a live-update agent do, in one process.
 *   workload update SESSIONS FILES MIB MARKER KERNEL INITRD COMMAND-LINE   old kernel: preserve, load, pause, kexec
 *   workload restore SESSIONS FILES MIB MARKER                             new kernel: retrieve, resume, verify, finish
 * Each step is marked in the trace buffer MARKER as docs/capture-format.md spells it. /dev/ttyS1 leads to a clock outside
 * the guest, which is told of the pause and of the resume (observer.ts). `restore` prints one line: pages=N bad=N.
 * Without KERNEL ("-") nothing is loaded, and the kernel refuses the kexec: the update is aborted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* include/uapi/linux/liveupdate.h of Linux 7.2; declared here since build hosts have older headers. */
#define NAME_BYTES 64
struct luo_session { uint32_t size; int32_t fd; uint8_t name[NAME_BYTES]; };
struct luo_file { uint32_t size; int32_t fd; uint64_t token __attribute__((aligned(8))); };
struct luo_finish { uint32_t size, reserved; };
#define CREATE_SESSION _IO(0xBA, 0x00)
#define RETRIEVE_SESSION _IO(0xBA, 0x01)
#define PRESERVE_FD _IO(0xBA, 0x40)
#define RETRIEVE_FD _IO(0xBA, 0x41)
#define FINISH _IO(0xBA, 0x42)

#define MAX_SESSIONS 1024
#define PAGE 4096

static int marker = -1, observer = -1;

static void fail(const char *what)
{
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	exit(1);
}

__attribute__((format(printf, 1, 2))) static void mark(const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (marker >= 0 && write(marker, text, length) < 0)
		perror("workload: mark");
}

static long long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void open_observer(void)
{
	struct termios line;
	observer = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	if (observer < 0)
		return;
	if (tcgetattr(observer, &line) == 0) {
		cfmakeraw(&line);
		/* An emulated UART, too, hands on what it receives only after four bytes' time. */
		cfsetspeed(&line, B115200);
		tcsetattr(observer, TCSANOW, &line);
	}
	tcflush(observer, TCIFLUSH);
}

/* The quickest of some handshakes: which of them, the middle of it on this clock, and half of what it took. */
struct handshake { int index; long long middle, half; };

#define HANDSHAKES 12
#define ANSWER_MS 200

static struct handshake shake_hands(void)
{
	struct handshake best = { .index = -1 };
	for (int i = 0; observer >= 0 && i < HANDSHAKES; i++) {
		struct pollfd answer = { .fd = observer, .events = POLLIN };
		char byte;
		long long asked = now_ns();
		if (write(observer, "?", 1) != 1 || poll(&answer, 1, ANSWER_MS) != 1 || read(observer, &byte, 1) != 1)
			break;
		long long half = (now_ns() - asked) / 2;
		if (best.index < 0 || half < best.half)
			best = (struct handshake){ .index = i, .middle = asked + half, .half = half };
	}
	return best;
}

/* Between two readings of the clock: the kernel may run something else before or after it stamps the mark. */
struct moment { long long middle, half; };

static struct moment mark_moment(const char *text)
{
	long long before = now_ns();
	mark("%s", text);
	long long half = (now_ns() - before) / 2;
	return (struct moment){ .middle = before + half, .half = half };
}

/* Tells the observer when WHAT was; it is out of the machine when this returns. */
static void observe(char what, struct handshake by, struct moment at)
{
	if (observer < 0)
		return;
	if (by.index < 0)
		dprintf(observer, "%c\n", what);
	else
		dprintf(observer, "%c %d %lld %lld\n", what, by.index, at.middle - by.middle, at.half + by.half);
	tcdrain(observer);
}

static void mark_clock(void)
{
	struct timespec real, mono;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	mark("clock: realtime=%lld.%09ld monotonic=%lld.%09ld", (long long)real.tv_sec, real.tv_nsec,
	     (long long)mono.tv_sec, mono.tv_nsec);
}

/* As luod names them: a UUID, here made of the index. */
static void session_name(char *name, int index)
{
	snprintf(name, NAME_BYTES, "7f994553-0000-4000-8000-%012x", index + 1);
}

static uint64_t token_of(int session, int file)
{
	return 0x100 * (uint64_t)(session + 1) + file;
}

/* What a page holds is a function of where it is: a page that comes back elsewhere is found out. */
static uint64_t word_of(int session, int file, size_t offset)
{
	uint64_t word = ((uint64_t)session << 48 ^ (uint64_t)file << 32 ^ offset) + 0x9e3779b97f4a7c15u;
	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
	word = (word ^ word >> 27) * 0x94d049bb133111ebu;
	return word ^ word >> 31;
}

static int luo_session(int device, unsigned long request, const char *name)
{
	struct luo_session session = { .size = sizeof session, .fd = -1 };
	snprintf((char *)session.name, NAME_BYTES, "%s", name);
	return ioctl(device, request, &session) ? -1 : session.fd;
}

static void preserve(int session_fd, const char *name, int session, int file, size_t bytes)
{
	int fd = memfd_create("guest-ram", 0);
	if (fd < 0 || ftruncate(fd, bytes))
		fail("memfd");
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	for (size_t offset = 0; offset < bytes; offset += PAGE) {
		*(uint64_t *)(memory + offset) = word_of(session, file, offset);
		*(uint64_t *)(memory + offset + PAGE - 8) = ~word_of(session, file, offset);
	}
	munmap(memory, bytes);
	struct luo_file wanted = { .size = sizeof wanted, .fd = fd, .token = token_of(session, file) };
	mark("luo: preserve_fd begin session=%s token=%#llx type=memfd bytes=%zu", name,
	     (unsigned long long)wanted.token, bytes);
	if (ioctl(session_fd, PRESERVE_FD, &wanted))
		fail("PRESERVE_FD");
	mark("luo: preserve_fd end session=%s token=%#llx", name, (unsigned long long)wanted.token);
}

/* A file of the recorder's beside the guests' memory: LAB_CARRIER names the command that writes or reads it. */
#define CARRIER_SESSION "blackout-recorder"
#define CARRIER_TOKEN 1

static void carry(int fd)
{
	char command[512];
	snprintf(command, sizeof command, "%s /proc/%d/fd/%d", getenv("LAB_CARRIER"), (int)getpid(), fd);
	if (system(command))
		fprintf(stderr, "workload: %s failed\n", command);
}

static void preserve_carrier(int device)
{
	if (!getenv("LAB_CARRIER"))
		return;
	int fd = memfd_create("blackout-recorder", 0), session_fd = luo_session(device, CREATE_SESSION, CARRIER_SESSION);
	if (fd < 0 || session_fd < 0)
		fail("the carrier");
	carry(fd);
	struct luo_file wanted = { .size = sizeof wanted, .fd = fd, .token = CARRIER_TOKEN };
	if (ioctl(session_fd, PRESERVE_FD, &wanted))
		fail("the carrier's PRESERVE_FD");
}

/* The carrier's session, or -1; its file in *FD. */
static int retrieve_carrier(int device, int *fd)
{
	if (!getenv("LAB_CARRIER"))
		return -1;
	struct luo_file wanted = { .size = sizeof wanted, .fd = -1, .token = CARRIER_TOKEN };
	int session_fd = luo_session(device, RETRIEVE_SESSION, CARRIER_SESSION);
	if (session_fd < 0 || ioctl(session_fd, RETRIEVE_FD, &wanted))
		fail("the carrier's RETRIEVE_FD");
	*fd = wanted.fd;
	return session_fd;
}

static int update(int sessions, int files, size_t bytes, const char *kernel, const char *initrd, const char *words)
{
	int device = open("/dev/liveupdate", O_RDWR);
	if (device < 0)
		fail("/dev/liveupdate");
	if (strcmp(kernel, "-")) {
		int kernel_fd = open(kernel, O_RDONLY), initrd_fd = open(initrd, O_RDONLY);
		if (kernel_fd < 0 || initrd_fd < 0)
			fail("the next kernel");
		if (syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(words) + 1, words, 0UL))
			fail("kexec_file_load");
	}
	preserve_carrier(device);
	mark("luo: prepare begin sessions=%d files=%d", sessions, sessions * files);
	for (int s = 0; s < sessions; s++) {
		char name[NAME_BYTES];
		session_name(name, s);
		mark("luo: session_create begin session=%s", name);
		int session_fd = luo_session(device, CREATE_SESSION, name);
		if (session_fd < 0)
			fail("CREATE_SESSION");
		mark("luo: session_create end session=%s", name);
		for (int f = 0; f < files; f++)
			preserve(session_fd, name, s, f, bytes);
	}
	mark("luo: prepare end");
	mark_clock();
	struct handshake by = shake_hands();
	struct moment paused = mark_moment("luo: vm_pause");
	observe('P', by, paused);
	mark("luo: kexec begin");
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	int refused = errno;
	struct moment resumed = mark_moment("luo: vm_resume");
	observe('R', shake_hands(), resumed);
	fprintf(stderr, "workload: the kernel refused the kexec: %s\n", strerror(refused));
	return 4;
}

static int restore(int sessions, int files, size_t bytes)
{
	static int session_fds[MAX_SESSIONS];
	int *fds = calloc((size_t)sessions * files, sizeof *fds);
	long pages = 0, bad = 0;
	mark_clock();
	mark("luo: restore begin");
	int device = open("/dev/liveupdate", O_RDWR);
	if (device < 0 || !fds)
		fail("/dev/liveupdate");
	for (int s = 0; s < sessions; s++) {
		char name[NAME_BYTES];
		session_name(name, s);
		mark("luo: session_retrieve begin session=%s", name);
		session_fds[s] = luo_session(device, RETRIEVE_SESSION, name);
		if (session_fds[s] < 0)
			fail("RETRIEVE_SESSION");
		mark("luo: session_retrieve end session=%s", name);
		for (int f = 0; f < files; f++) {
			struct luo_file wanted = { .size = sizeof wanted, .fd = -1, .token = token_of(s, f) };
			mark("luo: retrieve_fd begin session=%s token=%#llx", name, (unsigned long long)wanted.token);
			if (ioctl(session_fds[s], RETRIEVE_FD, &wanted))
				fail("RETRIEVE_FD");
			mark("luo: retrieve_fd end session=%s token=%#llx", name, (unsigned long long)wanted.token);
			fds[s * files + f] = wanted.fd;
		}
	}
	int carrier_fd = -1, carrier = retrieve_carrier(device, &carrier_fd);
	mark("luo: restore end");
	struct moment resumed = mark_moment("luo: vm_resume");
	observe('R', shake_hands(), resumed);
	mark("luo: finish begin");
	for (int s = 0; s < sessions; s++) {
		char name[NAME_BYTES];
		struct luo_finish wanted = { .size = sizeof wanted };
		session_name(name, s);
		mark("luo: session_finish begin session=%s", name);
		if (ioctl(session_fds[s], FINISH, &wanted))
			fail("FINISH");
		mark("luo: session_finish end session=%s", name);
	}
	if (carrier >= 0 && ioctl(carrier, FINISH, &(struct luo_finish){ .size = sizeof(struct luo_finish) }))
		fail("the carrier's FINISH");
	mark("luo: finish end");
	/* After the resume: a VMM does not read its guests' memory before it lets them run. */
	for (int s = 0; s < sessions; s++)
		for (int f = 0; f < files; f++) {
			char *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fds[s * files + f], 0);
			if (memory == MAP_FAILED)
				fail("mmap");
			for (size_t offset = 0; offset < bytes; offset += PAGE, pages++)
				bad += *(uint64_t *)(memory + offset) != word_of(s, f, offset) ||
				       *(uint64_t *)(memory + offset + PAGE - 8) != ~word_of(s, f, offset);
			munmap(memory, bytes);
		}
	if (carrier >= 0)
		carry(carrier_fd);
	printf("pages=%ld bad=%ld\n", pages, bad);
	return bad != 0;
}

int main(int count, char **arguments)
{
	int is_update = count == 9 && !strcmp(arguments[1], "update");
	if (!is_update && !(count == 6 && !strcmp(arguments[1], "restore"))) {
		fputs("usage: workload update SESSIONS FILES MIB MARKER KERNEL|- INITRD COMMAND-LINE\n"
		      "       workload restore SESSIONS FILES MIB MARKER\n", stderr);
		return 2;
	}
	int sessions = atoi(arguments[2]), files = atoi(arguments[3]);
	size_t bytes = (size_t)atoi(arguments[4]) << 20;
	if (sessions < 1 || sessions > MAX_SESSIONS || files < 1 || files > 1024 || bytes == 0)
		return 2;
	marker = open(arguments[5], O_WRONLY);
	open_observer();
	return is_update ? update(sessions, files, bytes, arguments[6], arguments[7], arguments[8])
			 : restore(sessions, files, bytes);
}
