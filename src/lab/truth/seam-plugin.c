/*
 * TCG plugin of QEMU: when the stages of a kexec begin, in instructions since machine_kexec. With -icount shift=0 an
 * instruction is a nanosecond of the guest's time, whatever the load of the host.
 *
 * The plugin API is declared here, as far as it is used (QEMU, docs/devel/tcg-plugins.rst), so that no header of
 * QEMU's is needed to build it: gcc -O2 -shared -fPIC -DAPI_VERSION=1 -o seam-plugin.so seam-plugin.c
 *
 * Arguments: out=FILE, marks=FILE with lines of HEXADDRESS NAME: the first is where counting begins, the last where it
 * ends. startup=HEX: the unpacked kernel's entry, from its begin. Writes lines of NAME COUNT.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*simple_callback)(plugin_id);
typedef void (*data_callback)(plugin_id, void *);
typedef void (*translate_callback)(plugin_id, struct qemu_plugin_tb *);
typedef void (*execute_callback)(unsigned, void *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translate_callback);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, execute_callback, int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, execute_callback, int, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern void qemu_plugin_reset(plugin_id, simple_callback);
extern void qemu_plugin_register_atexit_cb(plugin_id, data_callback, void *);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = API_VERSION;

#define MOST_MARKS 64
/* Code of the image and of what is before it runs at its physical addresses: below this. */
#define HIGHEST_PHYSICAL (1ull << 46)
#define IMAGE_ALIGNMENT 0x200000ull
#define LOWEST_IMAGE 0x1000000ull
#define ENTRY_OFFSET 0x200ull

static struct { uint64_t address; char name[64]; bool hit; } marks[MOST_MARKS];
static int mark_count;
static enum { waiting, counting, over } state = waiting;
static uint64_t instructions, startup, image_at;
static bool unpacked;
static FILE *out;
static plugin_id self;

static void note(const char *name) {
  if (!out) return;
  fprintf(out, "%s %" PRIu64 "\n", name, instructions);
  fflush(out);
}

static void translate(plugin_id id, struct qemu_plugin_tb *block);
static void begin_again(plugin_id id) { qemu_plugin_register_vcpu_tb_trans_cb(id, translate); }
static void end(plugin_id id) { (void)id; }

static void on_block(unsigned cpu, void *size) {
  (void)cpu;
  if (state == counting) instructions += (uintptr_t)size;
}

static void on_entry(unsigned cpu, void *address) {
  (void)cpu;
  if (state != counting || image_at) return;
  image_at = (uint64_t)(uintptr_t)address - ENTRY_OFFSET;
  note("image_entry");
}

static void on_low_block(unsigned cpu, void *address) {
  (void)cpu;
  if (state != counting || unpacked || !image_at || (uint64_t)(uintptr_t)address != image_at + startup) return;
  unpacked = true;
  note("unpacked_entry");
}

static void on_mark(unsigned cpu, void *index) {
  (void)cpu;
  int i = (int)(intptr_t)index;
  if (i == 0 && state == waiting) {
    state = counting;
    note(marks[0].name);
    marks[0].hit = true;
    /* What was translated before has no callbacks. */
    qemu_plugin_reset(self, begin_again);
    return;
  }
  if (state != counting || marks[i].hit) return;
  marks[i].hit = true;
  note(marks[i].name);
  if (i < mark_count - 1) return;
  state = over;
  qemu_plugin_reset(self, end);
}

static void translate(plugin_id id, struct qemu_plugin_tb *block) {
  (void)id;
  if (state == over) return;
  size_t size = qemu_plugin_tb_n_insns(block);
  uint64_t at = qemu_plugin_tb_vaddr(block);
  if (state == counting && at < HIGHEST_PHYSICAL) {
    /* Callbacks run in the order in which they were registered: these before the block is counted. */
    if (at >= LOWEST_IMAGE && at % IMAGE_ALIGNMENT == ENTRY_OFFSET)
      qemu_plugin_register_vcpu_tb_exec_cb(block, on_entry, 0, (void *)(uintptr_t)at);
    if ((at - startup) % IMAGE_ALIGNMENT == 0)
      qemu_plugin_register_vcpu_tb_exec_cb(block, on_low_block, 0, (void *)(uintptr_t)at);
  }
  if (state == counting) qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, 0, (void *)(uintptr_t)size);
  for (size_t i = 0; i < size; i++) {
    struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
    uint64_t address = qemu_plugin_insn_vaddr(instruction);
    int last = state == waiting ? 1 : mark_count;
    for (int mark = state == waiting ? 0 : 1; mark < last; mark++)
      if (marks[mark].address == address)
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, 0, (void *)(intptr_t)mark);
  }
}

static bool read_marks(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) return false;
  while (mark_count < MOST_MARKS && fscanf(file, "%" SCNx64 " %63s", &marks[mark_count].address, marks[mark_count].name) == 2) mark_count++;
  fclose(file);
  return mark_count >= 2;
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
  (void)info;
  self = id;
  for (int i = 0; i < count; i++) {
    char *value = strchr(arguments[i], '=');
    if (!value) return 1;
    *value++ = 0;
    if (!strcmp(arguments[i], "out")) out = fopen(value, "w");
    else if (!strcmp(arguments[i], "startup")) startup = strtoull(value, NULL, 16);
    else if (!strcmp(arguments[i], "marks") && !read_marks(value)) return 1;
  }
  if (!out || mark_count < 2) return 1;
  begin_again(id);
  return 0;
}
