import assert from "node:assert/strict";
import { test } from "node:test";
import { Builder, flags, openHow, slot, text } from "../../src/init/builder.js";
import { listing, records } from "../../src/machine/text.js";

/** One step of each kind, with every kind of value. */
function sample(): Builder {
  const b = new Builder();
  const [first, second] = [b.label(), b.label()];
  b.about("open a file", "root.path");
  b.call("openat2", [slot("root"), text('a "b"'), ...openHow("O_PATH|O_CLOEXEC", "RESOLVE_IN_ROOT")], {
    into: "file",
    on: { ENOENT: first, EEXIST: "next" },
    // biome-ignore lint/suspicious/noThenProperty: a step's option, no promise
    then: second,
  });
  b.call("read", [0, b.buffer("word", 8), 8], { zero: "fail" });
  b.about("go elsewhere");
  b.bind(first);
  b.test({ memory: "status", offset: 28, size: 2, mask: 0xf000 }, 0x8000, { equal: second });
  b.buffer("status", 256);
  b.test({ memory: "status", offset: 4, size: 4 }, 7, { differs: second });
  b.store(slot("file"), "copy");
  b.store("argument", "first");
  b.store(-1, "context");
  b.jump(second);
  b.fail("EPERM");
  b.bind(second);
  b.call("mknodat", [slot("file"), text("x"), { flags: "S_IFCHR", plus: 0o666 }, 0x103], { on: { "*": "next" } });
  b.call("execve", [text("/x"), { strings: ["x", ""] }, { strings: [] }]);
  b.call("write", [
    flags("AT_FDCWD"),
    { bytes: Uint8Array.of(1, 2), shown: "two bytes" },
    0xffffffff,
    slot("status"),
    { slot: "status", offset: 28 },
  ]);
  return b;
}

test("a program is listed as strace would show it, with its jumps", () => {
  assert.equal(
    listing([sample().finish()]),
    `# open a file  (root.path)
    1  openat2(%root, "a \\"b\\"", {O_PATH|O_CLOEXEC, 0, RESOLVE_IN_ROOT}, 24) = %file   [ENOENT: step 3; EEXIST: go on; success: step 10]
    2  read(0, &%word, 8)   [0: fail]
# go elsewhere
    3  if 2 bytes of %status at 28 & 0xf000 == 0x8000: step 10
    4  if 4 bytes of %status at 4 != 0x7: step 10
    5  %copy = %file
    6  %first = the argument
    7  %context = -1
    8  go to step 10
    9  fail with EPERM
   10  mknodat(%file, "x", S_IFCHR|0666, 259)   [error: go on]
   11  execve("/x", ["x", ""], [])
   12  write(AT_FDCWD, <two bytes>, ~0, %status, %status[28])
`,
  );
});

test("programs are numbered through, as records too", () => {
  const b = new Builder();
  b.about("say");
  b.call("write", [1, text("x"), 1]);
  const listed = records([b.finish(), sample().finish()]);
  assert.deepEqual(listed[0], {
    number: 1,
    says: "say",
    call: "write",
    args: ["1", '"x"', "1"],
    text: 'write(1, "x", 1)',
  });
  assert.deepEqual(
    listed.map(({ number }) => number),
    listed.map((_, i) => i + 1),
  );
  assert.equal(listed[1].from, "root.path");
  // Jumps lead to the numbers of the whole.
  assert.match(listed[1].text, /\[ENOENT: step 4; EEXIST: go on; success: step 11\]$/);
  assert.equal(listed[8].text, "go to step 11");
});
