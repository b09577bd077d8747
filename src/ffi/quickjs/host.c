/*
 * The QuickJS form's executable: an engine without modules, timers or files, and one global, `host`, which offers what
 * ../ffi.ts describes. All else is TypeScript.
 *
 * It runs in three ways. As built by the C compiler its heap is empty: it compiles the script on standard input, loads
 * it, and writes the heap to standard output. The build puts that back in as the heap's first content (see
 * src/build/image.mjs), so the finished executable starts where loading ended and only calls `host.main`. With arguments
 * and an empty heap it calls `host.main` at once, for several commands, and writes to descriptor 3 what they have done to
 * which blocks of the heap; the build gives it that, at the same descriptor, when it loads the program to be kept.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap.h"

/* The command line; NULL while the program is loaded, at build time. */
static char **arguments;
extern char **environ;

/* The descriptor for what the build observes of the heap. */
#define OBSERVATION 3

/* More than a command ever allocates, so that no run pays for a collection of cycles; counted references free the rest. */
#define GC_THRESHOLD (64 << 20)

#if defined(__x86_64__)
#define ARCH "x86_64"
static long raw_syscall(const long *a) {
  register long r10 __asm__("r10") = a[4], r8 __asm__("r8") = a[5], r9 __asm__("r9") = a[6];
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(a[0]), "D"(a[1]), "S"(a[2]), "d"(a[3]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
#define ARCH "aarch64"
static long raw_syscall(const long *a) {
  register long x8 __asm__("x8") = a[0], x0 __asm__("x0") = a[1], x1 __asm__("x1") = a[2], x2 __asm__("x2") = a[3],
                x3 __asm__("x3") = a[4], x4 __asm__("x4") = a[5], x5 __asm__("x5") = a[6];
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#endif

/* The content of a typed array, from its first byte on; NULL with an exception for any other value. */
static uint8_t *bytes_of(JSContext *ctx, JSValueConst array, size_t *length) {
  size_t offset, whole;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, array, &offset, length, NULL);
  if (JS_IsException(buffer)) return NULL;
  uint8_t *start = JS_GetArrayBuffer(ctx, &whole, buffer);
  JS_FreeValue(ctx, buffer); /* the array itself keeps it alive */
  return start ? start + offset : NULL;
}

/* An argument as the word that goes into a register: integers modulo 2^64, a typed array's address, null as 0. */
static int to_word(JSContext *ctx, JSValueConst value, long *word) {
  if (JS_IsNumber(value) || JS_IsBigInt(ctx, value)) return JS_ToInt64Ext(ctx, word, value);
  if (JS_IsNull(value) || JS_IsUndefined(value)) return *word = 0;
  size_t length;
  uint8_t *start = bytes_of(ctx, value, &length);
  *word = (long)start;
  return start ? 0 : -1;
}

static int is_running(JSContext *ctx) {
  if (arguments) return 1;
  JS_ThrowTypeError(ctx, "nothing native may be called while the program is loaded");
  return 0;
}

static int to_words(JSContext *ctx, int argc, JSValueConst *argv, long words[7]) {
  if (!is_running(ctx)) return -1;
  for (int i = 0; i < 7; i++)
    if (to_word(ctx, i < argc ? argv[i] : JS_NULL, &words[i])) return -1;
  return 0;
}

static JSValue host_syscall(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  long words[7];
  return to_words(ctx, argc, argv, words) ? JS_EXCEPTION : JS_NewInt64(ctx, raw_syscall(words));
}

static JSValue host_call(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  long a[7];
  if (to_words(ctx, argc, argv, a)) return JS_EXCEPTION;
  return JS_NewInt64(ctx, ((long (*)(long, long, long, long, long, long))a[0])(a[1], a[2], a[3], a[4], a[5], a[6]));
}

static JSValue host_address_of(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t length;
  uint8_t *start = bytes_of(ctx, argv[0], &length);
  return start ? JS_NewInt64(ctx, (long)start) : JS_EXCEPTION;
}

/* The length of the UTF-8 sequence at p; if it is invalid, minus the number of bytes that one U+FFFD stands for. */
static int utf8_sequence(const uint8_t *p, const uint8_t *end) {
  int more;
  uint8_t low = 0x80, high = 0xbf; /* what the second byte may be; narrower where overlong, surrogate or too great */
  if (*p < 0x80) return 1;
  if (*p >= 0xc2 && *p <= 0xdf) more = 1;
  else if (*p >= 0xe0 && *p <= 0xef) more = 2, low = *p == 0xe0 ? 0xa0 : 0x80, high = *p == 0xed ? 0x9f : 0xbf;
  else if (*p >= 0xf0 && *p <= 0xf4) more = 3, low = *p == 0xf0 ? 0x90 : 0x80, high = *p == 0xf4 ? 0x8f : 0xbf;
  else return -1;
  for (int i = 1; i <= more; i++, low = 0x80, high = 0xbf)
    if (p + i == end || p[i] < low || p[i] > high) return -i;
  return more + 1;
}

/* Text of UTF-8; the engine's own conversion reads invalid sequences otherwise than the Encoding standard does. */
static JSValue new_text(JSContext *ctx, const uint8_t *p, size_t length) {
  const uint8_t *end = p + length, *valid = p;
  int n = 1;
  while (valid < end && (n = utf8_sequence(valid, end)) > 0) valid += n;
  if (valid == end) return JS_NewStringLen(ctx, (const char *)p, length);
  char *repaired = js_malloc(ctx, 3 * length), *q = repaired;
  if (!repaired) return JS_EXCEPTION;
  for (; p < end; p += abs(n)) {
    n = utf8_sequence(p, end);
    memcpy(q, n > 0 ? (const char *)p : "\xef\xbf\xbd", n > 0 ? n : 3);
    q += n > 0 ? n : 3;
  }
  JSValue text = JS_NewStringLen(ctx, repaired, q - repaired);
  js_free(ctx, repaired);
  return text;
}

static JSValue host_decode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t length;
  uint8_t *start = bytes_of(ctx, argv[0], &length);
  return start ? new_text(ctx, start, length) : JS_EXCEPTION;
}

/* The engine writes a surrogate without its other half as three bytes of its own; it has to be U+FFFD. */
static void replace_surrogates(uint8_t *bytes, size_t length) {
  for (size_t i = 0; i + 2 < length; i++)
    if (bytes[i] == 0xed && bytes[i + 1] >= 0xa0) memcpy(bytes + i, "\xef\xbf\xbd", 3);
}

static JSValue host_encode_into(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t length, room;
  int64_t at;
  uint8_t *bytes = bytes_of(ctx, argv[1], &room);
  if (!bytes || JS_ToInt64(ctx, &at, argv[2])) return JS_EXCEPTION;
  const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
  if (!text) return JS_EXCEPTION;
  int fits = at >= 0 && (size_t)at <= room && length <= room - (size_t)at;
  if (fits) {
    memcpy(bytes + at, text, length);
    replace_surrogates(bytes + at, length);
  }
  JS_FreeCString(ctx, text);
  return fits ? JS_NewInt64(ctx, length) : JS_ThrowRangeError(ctx, "the text does not fit");
}

static JSValue host_encode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t length;
  const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
  if (!text) return JS_EXCEPTION;
  JSValue buffer = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, length);
  JS_FreeCString(ctx, text);
  if (JS_IsException(buffer)) return buffer;
  replace_surrogates(JS_GetArrayBuffer(ctx, &length, buffer), length);
  JSValueConst whole[] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue array = JS_NewTypedArray(ctx, 3, whole, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return array;
}

/* Whether the heap is observed, at build time. */
static int observing;

static void end(int status) {
  if (observing) heap_observe();
  _exit(status);
}

static JSValue host_exit(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  int status = 0;
  if (!is_running(ctx) || JS_ToInt32(ctx, &status, argv[0])) return JS_EXCEPTION;
  end(status);
  return JS_UNDEFINED;
}

static JSValue text_list(JSContext *ctx, char **strings) {
  JSValue list = JS_NewArray(ctx);
  for (uint32_t i = 0; strings && strings[i]; i++)
    JS_SetPropertyUint32(ctx, list, i, new_text(ctx, (uint8_t *)strings[i], strlen(strings[i])));
  return list;
}

static JSValue host_argv(JSContext *ctx, JSValueConst this) { return text_list(ctx, arguments); }

static JSValue host_environ(JSContext *ctx, JSValueConst this) { return text_list(ctx, environ); }

static JSValue host_expand(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  heap_expand();
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry members[] = {
    JS_CFUNC_DEF("syscall", 7, host_syscall),
    JS_CFUNC_DEF("call", 7, host_call),
    JS_CFUNC_DEF("addressOf", 1, host_address_of),
    JS_CFUNC_DEF("decode", 1, host_decode),
    JS_CFUNC_DEF("encode", 1, host_encode),
    JS_CFUNC_DEF("encodeInto", 3, host_encode_into),
    JS_CFUNC_DEF("expand", 0, host_expand),
    JS_CFUNC_DEF("exit", 1, host_exit),
    JS_CGETSET_DEF("argv", host_argv, NULL),
    JS_CGETSET_DEF("environ", host_environ, NULL),
    JS_PROP_STRING_DEF("arch", ARCH, 0),
};

/* Says what was thrown, and where; the status to end with. */
static int report(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  const char *message = JS_ToCString(ctx, error);
  const char *stack = JS_IsError(ctx, error) ? JS_ToCString(ctx, JS_GetPropertyStr(ctx, error, "stack")) : NULL;
  dprintf(2, "%s\n%s", message ? message : "uncaught exception", stack ? stack : "");
  return 1;
}

/* The script on standard input as bytecode, compiled in an engine that is thrown away. */
static uint8_t *compile(size_t *length) {
  off_t size = lseek(0, 0, SEEK_END);
  char *script = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (size < 0 || script == MAP_FAILED || pread(0, script, size, 0) != size) {
    dprintf(2, "standard input has to be a file: the script\n");
    _exit(1);
  }
  JSRuntime *runtime = JS_NewRuntime();
  JS_SetStripInfo(runtime, JS_STRIP_DEBUG);
  JSContext *ctx = JS_NewContext(runtime);
  JSValue code = JS_Eval(ctx, script, size, "fdrunc", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(code)) _exit(report(ctx));
  return JS_WriteObject(ctx, length, code, JS_WRITE_OBJ_BYTECODE);
}

/* An engine in the heap, with what the sources use of the language: no eval, promises, proxies or weak references. */
static JSContext *load(const uint8_t *bytecode, size_t length) {
  JSRuntime *runtime = JS_NewRuntime2(&heap_functions, NULL);
  JSContext *ctx = JS_NewContextRaw(runtime);
  JS_AddIntrinsicBaseObjects(ctx);
  JS_AddIntrinsicDate(ctx);
  JS_AddIntrinsicRegExp(ctx);
  JS_AddIntrinsicJSON(ctx);
  JS_AddIntrinsicMapSet(ctx);
  JS_AddIntrinsicTypedArrays(ctx);

  JSValue host = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, host, members, sizeof members / sizeof *members);
  JS_SetPropertyStr(ctx, JS_GetGlobalObject(ctx), "host", host);
  JSValue code = JS_ReadObject(ctx, bytecode, length, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(code) || JS_IsException(JS_EvalFunction(ctx, code))) _exit(report(ctx));
  JS_RunGC(runtime);
  JS_SetGCThreshold(runtime, GC_THRESHOLD);
  return ctx;
}

static void run(JSContext *ctx, char **argv) {
  arguments = argv;
  JS_UpdateStackTop(JS_GetRuntime(ctx));
  JSValue host = JS_GetPropertyStr(ctx, JS_GetGlobalObject(ctx), "host");
  JSValue result = JS_Call(ctx, JS_GetPropertyStr(ctx, host, "main"), JS_UNDEFINED, 0, NULL);
  end(JS_IsException(result) ? report(ctx) : 0);
}

/* Loads the script, and writes the heap. */
static void build(void) {
  size_t length;
  const uint8_t *bytecode = compile(&length);
  off_t observed = lseek(OBSERVATION, 0, SEEK_END);
  if (observed > 0) {
    const Observation *observation = mmap(NULL, observed, PROT_READ, MAP_PRIVATE, OBSERVATION, 0);
    if (observation == MAP_FAILED) _exit(1);
    heap_separate(observation, observed - sizeof *observation);
  }
  *heap_root() = load(bytecode, length);
  const void *content = heap_content(&length);
  if (!content) {
    dprintf(2, "the script leaves too much in memory\n");
    _exit(1);
  }
  size_t header[] = {(size_t)content, length};
  _exit(write(1, header, sizeof header) < 0 || write(1, content, length) != (ssize_t)length);
}

/*
 * Loads the script, and runs commands, each in a process that has nothing of the heap mapped before it touches it.
 * An empty argument stands before each command.
 */
static void observe(char **argv) {
  size_t length;
  const uint8_t *bytecode = compile(&length);
  heap_spread();
  JSContext *ctx = load(bytecode, length);
  heap_settle();
  observing = 1;
  while (*argv) {
    char **command = argv;
    while (*++argv && **argv);
    char *next = *argv;
    *argv = NULL;
    if (fork() == 0) run(ctx, command);
    wait(NULL);
    *argv = next;
  }
  const Observation *observation = heap_observed(&length);
  _exit(write(OBSERVATION, observation, length) != (ssize_t)length);
}

int main(int argc, char **argv) {
  JSContext *ctx = *heap_root();
  if (!ctx && argc > 1) observe(argv + 1);
  if (!ctx) build();
  heap_prepare();
  run(ctx, argv);
}
