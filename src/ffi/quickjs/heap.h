/* The engine's memory, and what of it goes into the executable. See heap.c. */
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

extern const JSMallocFunctions heap_functions;

/* A place in the heap for the one pointer by which its content is found again; NULL in an empty heap. */
void **heap_root(void);

/* The part of the heap that is in use, for a copy of it: what is added goes elsewhere from then on.
 * NULL where it is larger than the arena. */
const void *heap_content(size_t *length);

/* Has the kernel bring in at once what most commands write to, with room for what they add. */
void heap_prepare(void);

/* The same for what some commands write to, where this is one of them. */
void heap_expand(void);

/* What commands do to a block. Most are three of four. */
enum { UNTOUCHED, READ, SOME_WRITE, MOST_WRITE, USES };

/* What is known of the blocks of a program's heap, numbered from 0 as they are asked for. The build keeps it in a file. */
typedef struct {
  size_t sizes[USES]; /* of all blocks of a use, in bytes */
  size_t commands;    /* how many were observed */
  uint8_t uses[];     /* by number */
} Observation;

/* For an empty heap: puts each of the first `count` blocks to others that are used as it is. */
void heap_separate(const Observation *observation, size_t count);

/* For an empty heap: gives each block pages of its own, which takes much memory. */
void heap_spread(void);

/* Of a heap that is spread and complete: has children map only what they touch. This process touches it no more. */
void heap_settle(void);

/* Of a heap that is spread: notes which blocks this process has touched since it was forked. */
void heap_observe(void);

/* What was noted, in all children. */
const Observation *heap_observed(size_t *length);
