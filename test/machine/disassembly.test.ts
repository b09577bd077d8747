import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { Aarch64Assembler } from "../../src/machine/aarch64.js";
import type { Assembler, Memory } from "../../src/machine/assembler.js";
import { X86Assembler } from "../../src/machine/x86_64.js";

const directory = mkdtempSync(join(tmpdir(), "fdrunc-disassembly-"));
after(() => rmSync(directory, { recursive: true }));

const ORIGIN = 0x1000;

/** What objdump makes of the code that was written: an instruction a line, those that only fill up left out. */
function disassemble(t: TestContext, command: string[], asm: Assembler): string[] | undefined {
  if (spawnSync(command[0], ["--version"]).status !== 0) {
    t.skip(`needs ${command[0]}`);
    return undefined;
  }
  const file = join(directory, "code");
  writeFileSync(file, asm.finish());
  const args = [...command.slice(1), "-b", "binary", "-D", `--adjust-vma=${ORIGIN}`, "-z", "--no-show-raw-insn", file];
  const { stdout } = spawnSync(command[0], args, { encoding: "utf8" });
  return [...stdout.matchAll(/^ +[0-9a-f]+:\s+(.*)$/gm)]
    .map(([, line]) =>
      line
        .replace(/\s+(#|\/\/)\s.*$/, "")
        .replace(/\s+/g, " ")
        .trim(),
    )
    .filter((line) => !/^(xchg ax,ax|nop\b.*|data16.*)$/.test(line));
}

/** Memory in which a slot's word lies at 0x2000 and all else at 0x3000. */
const memory: Memory = {
  loaded: false,
  operand(value) {
    (this as { loaded: boolean }).loaded = "slot" in value;
    return "slot" in value ? 0x2000 : 0x3000;
  },
};

const X86 = ["objdump", "-m", "i386:x86-64", "-M", "intel"];
const ARM = ["aarch64-linux-gnu-objdump", "-m", "aarch64"];

/** What is written, and what it is on each machine. */
const CASES: [name: string, write: (asm: Assembler) => void, x86: string[], arm: string[]][] = [
  [
    "operands: small, large and negative constants",
    (asm) => asm.operands([0, 1, 0xffffffff, -1, -4096, 0x123456789abcdefn], memory),
    [
      "mov edi,0x0",
      "mov esi,0x1",
      "mov edx,0xffffffff",
      "mov r10,0xffffffffffffffff",
      "mov r8,0xfffffffffffff000",
      "movabs r9,0x123456789abcdef",
    ],
    [
      "movz x0, #0x0, lsl #48",
      "mov x1, #0x1",
      "mov x2, #0xffff",
      "movk x2, #0xffff, lsl #16",
      "movn x3, #0x0, lsl #48",
      "mov x4, #0xfffffffffffff000",
      "mov x5, #0xcdef",
      "movk x5, #0x89ab, lsl #16",
      "movk x5, #0x4567, lsl #32",
      "movk x5, #0x123, lsl #48",
    ],
  ],
  [
    "operands: constants in every register",
    (asm) => asm.operands([2n ** 63n, 1, 1, 1, 1, 1], memory),
    ["movabs rdi,0x8000000000000000", "mov esi,0x1", "mov edx,0x1", "mov r10d,0x1", "mov r8d,0x1", "mov r9d,0x1"],
    ["mov x0, #0x8000000000000000", ...[1, 2, 3, 4, 5].map((i) => `mov x${i}, #0x1`)],
  ],
  [
    "operands: addresses, and what lies at them",
    (asm) =>
      asm.operands([{ text: "x" }, { slot: "s" }, { at: "m" }, { slot: "s" }, { slot: "s" }, { slot: "s" }], memory),
    [
      "mov edi,0x3000",
      "mov rsi,QWORD PTR ds:0x2000",
      "mov edx,0x3000",
      "mov r10,QWORD PTR ds:0x2000",
      "mov r8,QWORD PTR ds:0x2000",
      "mov r9,QWORD PTR ds:0x2000",
    ],
    [
      "mov x0, #0x3000",
      "mov x9, #0x2000",
      "ldr x1, [x9]",
      "mov x2, #0x3000",
      ...[3, 4, 5].flatMap((i) => ["mov x9, #0x2000", `ldr x${i}, [x9]`]),
    ],
  ],
  ["a system call", (asm) => asm.syscall(231), ["mov eax,0xe7", "syscall"], ["mov x8, #0xe7", "svc #0x0"]],
  [
    "a part with a system call whose error leads to its beginning",
    (asm) => {
      asm.begin(5000);
      asm.checkedSyscall(2, 70_000);
    },
    [
      ...["jmp 0x1014", "add ebx,0x1388", "jmp 0x1000"],
      ...["mov ebx,0x11170", "mov eax,0x2", "syscall", "cmp rax,0xfffffffffffff001", "jae 0x1004"],
    ],
    [
      ...["b 0x1010", "add w19, w19, #0x388", "add w19, w19, #0x1, lsl #12", "b 0x1000"],
      ...["mov x19, #0x1170", "movk x19, #0x1, lsl #16", "mov x8, #0x2", "svc #0x0", "cmn x0, #0xfff", "b.cs 0x1004"],
    ],
  ],
  [
    "a part that was written elsewhere",
    (asm) => {
      asm.begin(1);
      asm.checkedSyscall(2, 3);
      asm.insert(asm.words.slice(0, asm.length), 70_000);
    },
    [
      ...["jmp 0x1014", "add ebx,0x1", "jmp 0x1000"],
      ...["mov ebx,0x3", "mov eax,0x2", "syscall", "cmp rax,0xfffffffffffff001", "jae 0x1004"],
      ...["jmp 0x1048", "add ebx,0x11170", "jmp 0x1000"],
      ...["mov ebx,0x3", "mov eax,0x2", "syscall", "cmp rax,0xfffffffffffff001", "jae 0x1038"],
    ],
    [
      ...["b 0x1010", "add w19, w19, #0x1", "add w19, w19, #0x0, lsl #12", "b 0x1000"],
      ...["mov x19, #0x3", "mov x8, #0x2", "svc #0x0", "cmn x0, #0xfff", "b.cs 0x1004"],
      ...["b 0x1034", "add w19, w19, #0x170", "add w19, w19, #0x11, lsl #12", "b 0x1000"],
      ...["mov x19, #0x3", "mov x8, #0x2", "svc #0x0", "cmn x0, #0xfff", "b.cs 0x1028"],
    ],
  ],
  [
    "stores",
    (asm) => {
      asm.storeOperand(0x2000);
      asm.storeResult(0x2008);
    },
    ["mov QWORD PTR ds:0x2000,rdi", "mov QWORD PTR ds:0x2008,rax"],
    ["mov x9, #0x2000", "str x0, [x9]", "mov x9, #0x2008", "str x0, [x9]"],
  ],
  [
    "a result in a call's place",
    (asm) => asm.result(-22),
    ["mov rax,0xffffffffffffffea"],
    ["mov x0, #0xffffffffffffffea"],
  ],
  [
    "jumps by the result",
    (asm) => {
      asm.jumpIfErrno(2, 0);
      asm.jumpIfError(0);
      asm.jumpIfZero(0);
      asm.jump(0);
    },
    [
      "cmp rax,0xfffffffffffffffe",
      "je 0xEND",
      "cmp rax,0xfffffffffffff001",
      "jae 0xEND",
      "test rax,rax",
      "je 0xEND",
      "jmp 0xEND",
    ],
    ["cmn x0, #0x2", "b.eq 0xEND", "cmn x0, #0xfff", "b.cs 0xEND", "cbz x0, 0xEND", "b 0xEND"],
  ],
  [
    "jumps by what lies in memory",
    (asm) => {
      asm.jumpIfMemory(0x2000, 1, 0xffffffff, 5, true, 0);
      asm.jumpIfMemory(0x2000, 2, 0xf000, 0x8000, false, 0);
      asm.jumpIfMemory(0x2000, 4, 0xffffffff, 0xdeadbeef, true, 0);
    },
    [
      "movzx eax,BYTE PTR ds:0x2000",
      "and eax,0xffffffff",
      "cmp eax,0x5",
      "je 0xEND",
      "movzx eax,WORD PTR ds:0x2000",
      "and eax,0xf000",
      "cmp eax,0x8000",
      "jne 0xEND",
      "mov eax,DWORD PTR ds:0x2000",
      "and eax,0xffffffff",
      "cmp eax,0xdeadbeef",
      "je 0xEND",
    ],
    [
      ...[
        "mov x9, #0x2000",
        "ldrb w10, [x9]",
        "mov x9, #0xffff",
        "movk x9, #0xffff, lsl #16",
        "and w10, w10, w9",
        "mov x9, #0x5",
        "cmp w10, w9",
        "b.eq 0xEND",
      ],
      ...[
        "mov x9, #0x2000",
        "ldrh w10, [x9]",
        "mov x9, #0xf000",
        "and w10, w10, w9",
        "mov x9, #0x8000",
        "cmp w10, w9",
        "b.ne 0xEND",
      ],
      ...["mov x9, #0x2000", "ldr w10, [x9]", "mov x9, #0xffff", "movk x9, #0xffff, lsl #16", "and w10, w10, w9"],
      ...["mov x9, #0xbeef", "movk x9, #0xdead, lsl #16", "cmp w10, w9", "b.eq 0xEND"],
    ],
  ],
  [
    "a failure's record",
    (asm) => {
      asm.step(7);
      asm.storeFailure(0x2000, 0x2004);
    },
    ["mov ebx,0x7", "neg eax", "mov DWORD PTR ds:0x2004,eax", "mov DWORD PTR ds:0x2000,ebx"],
    ["mov x19, #0x7", "neg w0, w0", "mov x9, #0x2004", "str w0, [x9]", "mov x9, #0x2000", "str w19, [x9]"],
  ],
];

for (const [name, write, x86, arm] of CASES)
  for (const [arch, command, asm, expected] of [
    ["x86_64", X86, new X86Assembler(), x86],
    ["aarch64", ARM, new Aarch64Assembler(), arm],
  ] as const)
    test(`${arch}: ${name}`, (t) => {
      write(asm);
      const end = (ORIGIN + asm.length * 4).toString(16);
      asm.return();
      asm.resolve(Int32Array.of(asm.length - 1));
      const code = disassemble(t, [...command], asm);
      if (code === undefined) return;
      assert.match(code[expected.length], /^ret/);
      assert.deepEqual(
        code.slice(0, expected.length),
        expected.map((line) => line.replace("END", end)),
      );
    });
