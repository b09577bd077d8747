/*
 * The engine's memory: blocks cut one after another from an arena, and lists of freed blocks by size. There is one
 * thread and a run is short, so nothing goes back to the kernel.
 *
 * All state is within the arena, whose address is fixed. So a copy of it, put into the executable file, is the same
 * heap in another process: the build loads the program once and keeps what that made.
 *
 * A page that is written to, if only for a count of references, has to be copied; one that is read is mapped from where
 * the kernel has cached the file, together with its neighbours; the others cost nothing. So the blocks that most commands
 * write to lie together, those that some do, and those that are read. Which these are is observed by the build: it loads
 * the program with each block in pages of its own, forks, has the child run a command, and asks the kernel which pages
 * the child has mapped, and which of these are copies. The same script asks for the same blocks in the same order when it
 * is loaded again.
 *
 * Pages that will be written to are asked for at once, which is faster than one by one: at the start those that most
 * commands write to and those that any fills; those that some do where a command says that it is one of them.
 */
#include "heap.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
/* Address space; a page costs memory only when it is touched. */
#define ARENA_SIZE (16ul << 20)
#define SPREAD_SIZE (1ul << 34)
/* What the kernel maps at once, at most, around a page that is read: its fault_around_bytes. */
#define WINDOW (16 * PAGE)
#define UNIT 8ul
#define SMALL 1024
#define LARGEST (1ul << 34)
#define CLASSES (SMALL / UNIT + 4 * 24) /* from 2^10 to 2^34 in quarters */

/* How much of the heap beyond its first content any command fills, and how much more one that goes on beyond that. */
#define LEAST (36ul << 10)
#define MORE (160ul << 10)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14; older kernels refuse it, which does no harm */
#endif

/* Stands before each block, which is aligned to a unit: the engine has no types that need more. */
typedef struct {
  uint32_t units;
  uint32_t list; /* which of the words of the arena takes it when it is freed; its own first word then links to the next */
} Header;

typedef struct {
  char *top, *end;
  void *freed[CLASSES];
} Zone;

static struct {
  void *root;
  Zone zones[USES]; /* only MOST_WRITE, which takes what commands add, has room unless blocks are kept apart */
  char *most_end;   /* where that ends of the first content which most commands write to, */
  char *some, *some_end; /* and what some do */
  char *ready;      /* up to where there are pages for what a command adds; NULL while the program is loaded */
  char blocks[ARENA_SIZE] __attribute__((aligned(UNIT)));
} arena __attribute__((aligned(PAGE)));

/* While the program is loaded. */
static size_t asked; /* how many blocks were asked for */
static const Observation *separation;
static size_t separated;
static int file = -1;     /* of the blocks that have pages of their own; */
static char *spread;      /* where they are, each at the beginning of a window; */
static uint32_t *owners;  /* by window from there: the number of the block */
static Observation *observed; /* shared with children */

/* Sizes go by units up to 1 KiB, then in four steps to each power of two. */
static Header header_for(const Zone *zone, size_t size) {
  uint32_t lists = (void **)zone->freed - (void **)&arena;
  if (size <= SMALL) {
    size_t units = size ? (size + UNIT - 1) / UNIT : 1;
    return (Header){units, lists + units - 1};
  }
  int shift = 61 - __builtin_clzl(size - 1);
  size_t quarters = ((size - 1) >> shift) + 1; /* 5 to 8 */
  return (Header){(quarters << shift) / UNIT, lists + SMALL / UNIT + 4 * (shift - 8) + quarters - 5};
}

static size_t size_of(Header header) { return header.units * UNIT; }

/* Where the block is that was freed last, of those that a freed one belongs to. */
static void **list_of(Header header) { return (void **)&arena + header.list; }

static char *page_after(char *place) { return place + (-(size_t)place & (PAGE - 1)); }

/* Maps pages at once that are to be written to. */
static void populate(char *from, char *to) {
  from -= (size_t)from & (PAGE - 1);
  madvise(from, to - from, MADV_POPULATE_WRITE);
}

static size_t windows(size_t size) { return (size + WINDOW - 1) / WINDOW; }

/* Cuts a block; NULL where there is no room for it. */
static void *cut(Zone *zone, Header header) {
  size_t needed = sizeof header + size_of(header);
  if (spread) needed = windows(needed) * WINDOW;
  if (needed > (size_t)(zone->end - zone->top)) return NULL;
  Header *block = (Header *)zone->top;
  zone->top += needed;
  if (arena.ready && zone->top > arena.ready) populate((char *)block, arena.ready = zone->top + MORE);
  *block = header;
  return block + 1;
}

/* Takes more address space from the kernel, where the arena is full. */
static int extend(Zone *zone, size_t size) {
  size_t length = sizeof(Header) + size > ARENA_SIZE ? sizeof(Header) + size : ARENA_SIZE;
  char *more = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (more == MAP_FAILED) return 0;
  zone->top = more, zone->end = more + length;
  return 1;
}

static void *allocate(JSMallocState *state, size_t size) {
  if (size > LARGEST) return NULL;
  size_t number = asked++;
  Zone *const added = &arena.zones[MOST_WRITE];
  if (!added->end) added->top = arena.blocks, added->end = arena.blocks + ARENA_SIZE;
  Zone *zone = number < separated ? &arena.zones[separation->uses[number]] : added;
  Header header = header_for(zone, size);
  void *data = *list_of(header);
  if (data) {
    *list_of(header) = *(void **)data;
  } else {
    data = cut(zone, header);
    if (!data) data = cut(&arena.zones[UNTOUCHED], header);
    if (!data && extend(zone, size_of(header))) data = cut(zone, header);
    if (!data) return NULL;
  }
  if (spread)
    for (size_t i = windows(sizeof header + size_of(header)), at = ((char *)data - spread) / WINDOW; i-- > 0;)
      owners[at + i] = number;
  state->malloc_size += size_of(header);
  return data;
}

static void release(JSMallocState *state, void *data) {
  if (!data) return;
  Header header = ((Header *)data)[-1];
  state->malloc_size -= size_of(header);
  *(void **)data = *list_of(header);
  *list_of(header) = data;
}

static size_t usable_size(const void *data) { return data ? size_of(((const Header *)data)[-1]) : 0; }

static void *resize(JSMallocState *state, void *data, size_t size) {
  if (!data) return size ? allocate(state, size) : NULL;
  if (!size) return release(state, data), NULL;
  size_t held = usable_size(data);
  if (size <= held) return data;
  void *moved = allocate(state, size);
  if (!moved) return NULL;
  memcpy(moved, data, held);
  release(state, data);
  return moved;
}

const JSMallocFunctions heap_functions = {allocate, release, resize, usable_size};

void **heap_root(void) { return &arena.root; }

const void *heap_content(size_t *length) {
  Zone *const added = &arena.zones[MOST_WRITE], *const last = &arena.zones[UNTOUCHED];
  char *end = arena.most_end = added->top;
  for (int use = 0; use < USES; use++)
    if (arena.zones[use].end > arena.blocks + ARENA_SIZE) return NULL;
  if (separation) {
    arena.some_end = arena.zones[SOME_WRITE].top;
    /* What commands add goes behind the content, where the file has nothing. */
    last->end = end = last->top;
    added->top = page_after(end), added->end = arena.blocks + ARENA_SIZE;
  }
  *length = end - (char *)&arena;
  return &arena;
}

void heap_prepare(void) {
  char *added = arena.zones[MOST_WRITE].top;
  populate((char *)&arena, arena.most_end);
  populate(added, arena.ready = added + LEAST);
}

void heap_expand(void) {
  char *added = arena.zones[MOST_WRITE].top;
  populate(arena.some, arena.some_end);
  populate(added, arena.ready = added + MORE);
}

void heap_separate(const Observation *observation, size_t count) {
  char *place = arena.blocks;
  for (int use = MOST_WRITE; use > UNTOUCHED; use--) {
    arena.zones[use].top = place;
    arena.zones[use].end = place = page_after(place + observation->sizes[use]);
  }
  arena.zones[UNTOUCHED].top = place, arena.zones[UNTOUCHED].end = arena.blocks + ARENA_SIZE;
  arena.some = arena.zones[SOME_WRITE].top;
  separation = observation, separated = count;
}

static void *map(void *place, size_t length, int flags) {
  void *data = mmap(place, length, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, flags & MAP_ANONYMOUS ? -1 : file, 0);
  if (data == MAP_FAILED) _exit(1);
  return data;
}

void heap_spread(void) {
  file = memfd_create("heap", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, SPREAD_SIZE)) _exit(1);
  char *place = map(NULL, SPREAD_SIZE + WINDOW, MAP_PRIVATE | MAP_ANONYMOUS);
  spread = map(place + WINDOW - (size_t)place % WINDOW, SPREAD_SIZE, MAP_SHARED | MAP_FIXED);
  owners = map(NULL, SPREAD_SIZE / WINDOW * sizeof *owners, MAP_PRIVATE | MAP_ANONYMOUS);
  observed = map(NULL, sizeof *observed + SPREAD_SIZE / WINDOW * 16, MAP_SHARED | MAP_ANONYMOUS);
  arena.zones[MOST_WRITE].top = spread, arena.zones[MOST_WRITE].end = spread + SPREAD_SIZE;
}

/* Pages of a file are not mapped in a child before it touches them. */
void heap_settle(void) { map(spread, SPREAD_SIZE, MAP_PRIVATE | MAP_FIXED); }

/* While commands are observed, the use of a block is READ, and one more for each command that writes to it. */
void heap_observe(void) {
  const uint64_t PRESENT = 1ul << 63, OF_FILE = 1ul << 61; /* proc(5), /proc/pid/pagemap */
  uint64_t entries[WINDOW / PAGE];
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  int written = 0; /* whether the block was that the last window belongs to */
  observed->commands++;
  for (char *window = spread; window < arena.zones[MOST_WRITE].top; window += WINDOW) {
    const uint32_t *owner = &owners[(window - spread) / WINDOW];
    uint8_t *use = &observed->uses[*owner];
    if (owner == owners || owner[-1] != *owner) written = 0;
    if (pread(pagemap, entries, sizeof entries, (size_t)window / PAGE * sizeof *entries) != sizeof entries) _exit(1);
    for (size_t i = 0; i < WINDOW / PAGE; i++) {
      if (!(entries[i] & PRESENT)) continue;
      if (*use == UNTOUCHED) *use = READ;
      if (entries[i] & OF_FILE || written) continue;
      written = 1;
      if (*use < UINT8_MAX) ++*use;
    }
  }
}

const Observation *heap_observed(size_t *length) {
  for (size_t i = 0; i < asked; i++) {
    size_t writers = observed->uses[i] > READ ? observed->uses[i] - READ : 0;
    if (writers) observed->uses[i] = 4 * writers >= 3 * observed->commands ? MOST_WRITE : SOME_WRITE;
  }
  for (char *window = spread; window < arena.zones[MOST_WRITE].top;) {
    size_t size = sizeof(Header) + size_of(*(Header *)window);
    observed->sizes[observed->uses[owners[(window - spread) / WINDOW]]] += size;
    window += windows(size) * WINDOW;
  }
  *length = sizeof *observed + asked;
  return observed;
}
