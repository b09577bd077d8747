/*
 * The engine's memory: blocks cut one after another from an arena, and lists of freed blocks by size. There is one
 * thread and a run is short, so nothing goes back to the kernel.
 *
 * All state is within the arena, whose address is fixed. So a copy of it, put into the executable file, is the same
 * heap in another process: the build loads the program once and keeps what that made.
 */
#include "heap.h"

#include <string.h>
#include <sys/mman.h>

/* Address space; a page costs memory only when it is touched. */
#define ARENA_SIZE (16ul << 20)
#define SMALL 1024
#define LARGEST (1ul << 40)
#define CLASSES (SMALL / 16 + 4 * 30) /* from 2^10 to 2^40 in quarters */

/* Stands before each block, which stays aligned to 16 bytes. */
typedef struct {
  size_t size;
  void **list; /* where it goes when freed; its first word then links to the next */
} Header;

static struct {
  char *top, *end;
  void *root;
  void *freed[CLASSES];
  char blocks[ARENA_SIZE] __attribute__((aligned(16)));
} arena __attribute__((aligned(4096)));

/* Sizes go by 16 bytes up to 1 KiB, then in four steps to each power of two. */
static Header header_for(size_t size) {
  if (size <= SMALL) {
    size_t units = (size + 15) / 16;
    return (Header){units * 16, &arena.freed[units ? units - 1 : 0]};
  }
  int shift = 61 - __builtin_clzl(size - 1);
  size_t quarters = ((size - 1) >> shift) + 1; /* 5 to 8 */
  return (Header){quarters << shift, &arena.freed[SMALL / 16 + 4 * (shift - 8) + quarters - 5]};
}

static void *allocate(JSMallocState *state, size_t size) {
  if (size > LARGEST) return NULL;
  Header header = header_for(size);
  void *data = *header.list;
  if (data) {
    *header.list = *(void **)data;
  } else {
    size_t needed = sizeof header + header.size;
    if (!arena.top) arena.top = arena.blocks, arena.end = arena.blocks + sizeof arena.blocks;
    if (needed > (size_t)(arena.end - arena.top)) {
      size_t length = needed > ARENA_SIZE ? needed : ARENA_SIZE;
      char *more = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (more == MAP_FAILED) return NULL;
      arena.top = more, arena.end = more + length;
    }
    *(Header *)arena.top = header;
    data = arena.top + sizeof header;
    arena.top += needed;
  }
  state->malloc_size += header.size;
  return data;
}

static void release(JSMallocState *state, void *data) {
  if (!data) return;
  const Header *header = (Header *)data - 1;
  state->malloc_size -= header->size;
  *(void **)data = *header->list;
  *header->list = data;
}

static void *resize(JSMallocState *state, void *data, size_t size) {
  if (!data) return size ? allocate(state, size) : NULL;
  if (!size) return release(state, data), NULL;
  size_t held = ((Header *)data - 1)->size;
  if (size <= held) return data;
  void *moved = allocate(state, size);
  if (!moved) return NULL;
  memcpy(moved, data, held);
  release(state, data);
  return moved;
}

static size_t usable_size(const void *data) { return data ? ((const Header *)data - 1)->size : 0; }

const JSMallocFunctions heap_functions = {allocate, release, resize, usable_size};

void **heap_root(void) { return &arena.root; }

const void *heap_content(size_t *length) {
  *length = arena.top - (char *)&arena;
  return &arena;
}
