/*
 * Writes src/seccomp/numbers.ts from the headers of Debian's package linux-libc-dev, which from Debian 13 on has those
 * of all architectures. Run by hand, when the kernel has new system calls:
 *
 *     apt-get download linux-libc-dev && node src/build/syscall-tables.mjs linux-libc-dev_*.deb
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the numbers of an architecture are: a header, and what its numbers are counted from. */
const HEADERS = {
  SCMP_ARCH_X86: ["x86/asm/unistd_32.h"],
  SCMP_ARCH_X86_64: ["x86/asm/unistd_64.h"],
  SCMP_ARCH_X32: ["x86/asm/unistd_x32.h", { __X32_SYSCALL_BIT: 0x40000000 }],
  SCMP_ARCH_ARM: ["arm/asm/unistd-eabi.h", { __NR_SYSCALL_BASE: 0 }],
  SCMP_ARCH_AARCH64: ["arm64/asm/unistd_64.h"],
  SCMP_ARCH_LOONGARCH64: ["loongarch/asm/unistd_64.h"],
  SCMP_ARCH_MIPSEL: ["mips/asm/unistd_o32.h", { __NR_Linux: 4000 }],
  SCMP_ARCH_MIPSEL64: ["mips/asm/unistd_n64.h", { __NR_Linux: 5000 }],
  SCMP_ARCH_MIPSEL64N32: ["mips/asm/unistd_n32.h", { __NR_Linux: 6000 }],
  SCMP_ARCH_PPC64LE: ["powerpc/asm/unistd_64.h"],
  SCMP_ARCH_RISCV64: ["riscv/asm/unistd_64.h"],
  SCMP_ARCH_SH: ["sh/asm/unistd_32.h"],
};

/** What asm/unistd.h defines beside the numbers of the header above. */
const EXTRA = {
  SCMP_ARCH_ARM: {
    breakpoint: 0xf0001,
    cacheflush: 0xf0002,
    usr26: 0xf0003,
    usr32: 0xf0004,
    set_tls: 0xf0005,
    get_tls: 0xf0006,
  },
};

/** Names that stand for no system call, as MIPS has them. */
const PLACEHOLDER = /^(reserved|unused)\d+$/;

const deb = process.argv[2];
if (deb === undefined) {
  console.error("usage: node src/build/syscall-tables.mjs linux-libc-dev_VERSION_all.deb");
  process.exit(2);
}
const version = execFileSync("dpkg-deb", ["--field", deb, "Version"], { encoding: "utf8" }).trim();
const root = mkdtempSync(join(tmpdir(), "syscall-tables-"));
try {
  execFileSync("dpkg-deb", ["--extract", deb, root]);
  const tables = Object.entries(HEADERS).map(([arch, [header, bases = {}]]) => {
    const text = readFileSync(join(root, "usr/lib/linux/uapi", header), "utf8");
    return `  ${arch}: \`${wrap(encode({ ...numbersOf(text, bases), ...EXTRA[arch] }))}\`,\n`;
  });
  writeFileSync(new URL("../seccomp/numbers.ts", import.meta.url), moduleText(tables.join("")));
} finally {
  rmSync(root, { recursive: true });
}

/** The numbers by name that a header defines, as "__NR_read 0" or "__NR_read (BASE + 0)". */
function numbersOf(text, bases) {
  const numbers = {};
  for (const [, name, base, offset] of text.matchAll(/^#define __NR_(\w+) (?:\((\w+) \+ )?(\d+)\)?$/gm))
    if (!PLACEHOLDER.test(name)) numbers[name] = (base === undefined ? 0 : bases[base]) + Number(offset);
  return numbers;
}

/** Names in the order of their numbers; a number stands before a name that is not the next one's. */
function encode(numbers) {
  const words = [];
  let next = 0;
  for (const [name, number] of Object.entries(numbers).sort(([, a], [, b]) => a - b)) {
    if (number !== next) words.push(number);
    words.push(name);
    next = number + 1;
  }
  return words;
}

/** Words with one space between them, and a line break that is not part of the text where a line would be too long. */
function wrap(words) {
  let column = 999;
  return words
    .reduce((text, word) => {
      const piece = `${word} `;
      column += piece.length;
      if (column <= 115) return text + piece;
      column = piece.length;
      return `${text}\\\n${piece}`;
    }, "")
    .trimEnd();
}

function moduleText(tables) {
  return `// Written by src/build/syscall-tables.mjs from Debian's linux-libc-dev ${version}. Do not edit.

/**
 * System calls by architecture, of those that have the byte order of x86-64 and aarch64: the names in the order of
 * their numbers, separated by spaces. A number in between is that of the name after it; otherwise they count up.
 */
export const NUMBERS = {
${tables}} as const;
`;
}
