#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static int marker = -1, observer = -1;

void fail(const char *what)
{
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	exit(1);
}

void mark(const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (marker >= 0 && write(marker, text, length) < 0)
		perror("workload: mark");
}

void mark_clock(void)
{
	struct timespec real, mono;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	mark("clock: realtime=%lld.%09ld monotonic=%lld.%09ld", (long long)real.tv_sec, real.tv_nsec,
	     (long long)mono.tv_sec, mono.tv_nsec);
}

static long long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void open_marks(const char *path)
{
	struct termios line;
	marker = open(path, O_WRONLY);
	observer = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	if (observer < 0)
		return;
	if (tcgetattr(observer, &line) == 0) {
		cfmakeraw(&line);
		/* Even an emulated UART passes on what it receives only after four bytes' time. */
		cfsetspeed(&line, B115200);
		tcsetattr(observer, TCSANOW, &line);
	}
	tcflush(observer, TCIFLUSH);
}

/* The fastest of several handshakes: its number, its middle on this clock, and half its duration. */
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

/* Read the clock before and after: the kernel may run something else before or after it stamps the mark. */
struct moment { long long middle, half; unsigned long long cycles; };

static struct moment mark_moment(const char *text)
{
	long long before = now_ns();
	mark("%s", text);
	long long half = (now_ns() - before) / 2;
	return (struct moment){ .middle = before + half, .half = half, .cycles = __builtin_ia32_rdtsc() };
}

/* Reports to the observer when WHAT happened; the message has left the machine when this returns. */
static void observe(char what, struct handshake by, struct moment at)
{
	if (observer < 0)
		return;
	if (by.index < 0)
		dprintf(observer, "%c\n", what);
	else
		dprintf(observer, "%c %d %lld %lld %llu\n", what, by.index, at.middle - by.middle, at.half + by.half, at.cycles);
	tcdrain(observer);
}

void mark_pause(const char *text)
{
	struct handshake by = shake_hands();
	observe('P', by, mark_moment(text));
}

void mark_resume(const char *text)
{
	struct moment resumed = mark_moment(text);
	observe('R', shake_hands(), resumed);
}

void session_name(char *name, int index)
{
	snprintf(name, NAME_BYTES, "7f994553-0000-4000-8000-%012x", index + 1);
}

uint64_t token_of(int session, int file)
{
	return 0x100 * (uint64_t)(session + 1) + file;
}

int luo_session(int device, unsigned long request, const char *name)
{
	struct luo_session session = { .size = sizeof session, .fd = -1 };
	snprintf((char *)session.name, NAME_BYTES, "%s", name);
	return ioctl(device, request, &session) ? -1 : session.fd;
}

int luo_retrieve(int session_fd, uint64_t token)
{
	struct luo_file wanted = { .size = sizeof wanted, .fd = -1, .token = token };
	if (ioctl(session_fd, RETRIEVE_FD, &wanted)) {
		perror("RETRIEVE_FD");
		return -1;
	}
	return wanted.fd;
}

void luo_finish(int session_fd)
{
	struct luo_finish wanted = { .size = sizeof wanted };
	if (ioctl(session_fd, FINISH, &wanted))
		fail("FINISH");
}

/* A page's content is a function of its place, so that a page restored to the wrong place is detected. */
static uint64_t word_of(int session, int file, size_t offset)
{
	uint64_t word = ((uint64_t)session << 48 ^ (uint64_t)file << 32 ^ offset) + 0x9e3779b97f4a7c15u;
	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
	word = (word ^ word >> 27) * 0x94d049bb133111ebu;
	return word ^ word >> 31;
}

int make_memory(int session, int file, size_t bytes)
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
	return fd;
}

void preserve(int session_fd, const char *name, int session, int file, size_t bytes)
{
	int fd = make_memory(session, file, bytes);
	struct luo_file wanted = { .size = sizeof wanted, .fd = fd, .token = token_of(session, file) };
	mark("luo: preserve_fd begin session=%s token=%#llx type=memfd bytes=%zu", name,
	     (unsigned long long)wanted.token, bytes);
	if (ioctl(session_fd, PRESERVE_FD, &wanted))
		fail("PRESERVE_FD");
	mark("luo: preserve_fd end session=%s token=%#llx", name, (unsigned long long)wanted.token);
}

void verify(int fd, int session, int file, size_t bytes, long *pages, long *bad)
{
	if (fd < 0)
		return;
	char *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	for (size_t offset = 0; offset < bytes; offset += PAGE, ++*pages)
		*bad += *(uint64_t *)(memory + offset) != word_of(session, file, offset) ||
			*(uint64_t *)(memory + offset + PAGE - 8) != ~word_of(session, file, offset);
	munmap(memory, bytes);
}
