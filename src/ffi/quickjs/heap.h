/* The engine's memory, and what of it goes into the executable. See heap.c. */
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

extern const JSMallocFunctions heap_functions;

/* A place in the heap for the one pointer by which its content is found again; NULL in an empty heap. */
void **heap_root(void);

/* The part of the heap that is in use. */
const void *heap_content(size_t *length);

/* Has the kernel bring in at once what most commands write to, with room for what they add. */
void heap_prepare(void);

/*
 * For an empty heap, whose blocks are numbered as they are asked for, from 0: puts those whose bits are not set, of the
 * first `count`, where they need not be brought in.
 */
void heap_separate(const uint8_t *written, size_t count);

/* For an empty heap: gives each block pages of its own, which takes much memory. */
void heap_spread(void);

/* Of a heap that is spread: notes which blocks this process has written to since it was forked. */
void heap_observe(void);

/* The bits of the blocks that were noted, in this process and its children. */
const uint8_t *heap_observed(size_t *length);
