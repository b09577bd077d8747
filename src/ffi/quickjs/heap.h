/* The engine's memory, and what of it goes into the executable. See heap.c. */
#include <stddef.h>

#include "quickjs.h"

extern const JSMallocFunctions heap_functions;

/* A place in the heap for the one pointer by which its content is found again; NULL in an empty heap. */
void **heap_root(void);

/* The part of the heap that is in use. */
const void *heap_content(size_t *length);
