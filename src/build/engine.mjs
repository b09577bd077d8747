/*
 * The engine of the QuickJS form, for one architecture: QuickJS and src/ffi/quickjs/*.c, linked statically with musl,
 * still without a script (image.mjs puts that in).
 *
 * musl, because glibc asks the processor what it can with some fifty `cpuid` instructions before `main`; a virtual
 * machine emulates each of them, which takes 0.4 ms here: four times as long as all of the engine's own start.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { fetchFromDebian, unpackFromDebian } from "./debian.mjs";
import { once } from "./once.mjs";
import { Unavailable } from "./unavailable.mjs";

const run = promisify(execFile);
const ROOT = new URL("../../", import.meta.url).pathname;
const CACHE = join(ROOT, ".cache/quickjs");
const HOST = join(ROOT, "src/ffi/quickjs");

/** Debian's source package of the engine. */
export const QUICKJS = {
  package: "quickjs",
  version: "2025.04.26",
  sha256: "ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe",
};

/** By architecture: Debian's name of it, the compiler, and what runs its programs on another machine. */
export const TARGETS = {
  x86_64: { debian: "amd64", compiler: "x86_64-linux-gnu-gcc", emulator: "qemu-x86_64" },
  aarch64: { debian: "arm64", compiler: "aarch64-linux-gnu-gcc", emulator: "qemu-aarch64" },
};

/** The architecture of this machine, a key of `TARGETS`. */
export const HERE = process.arch === "arm64" ? "aarch64" : "x86_64";

/**
 * Builds the engine; fetches QuickJS and musl where that was not done before.
 *
 * @param {keyof TARGETS} architecture
 * @returns {Promise<string>} the path of the executable
 * @throws {Unavailable} where the sources or a compiler cannot be had
 */
export async function buildEngine(architecture) {
  const { compiler } = TARGETS[architecture];
  const version = compilerVersion(compiler);
  const engine = join(CACHE, architecture, "engine");
  const source = await quickjsSource();
  const musl = await muslFor(architecture);
  const files = [
    ...["quickjs", "libregexp", "libunicode", "cutils", "dtoa"].map((name) => join(source, `${name}.c`)),
    ...["host", "heap"].map((name) => join(HOST, `${name}.c`)),
  ];
  const flags = [
    "-O2",
    "-fwrapv", // as QuickJS is built by its own Makefile
    "-fno-stack-protector",
    "-fno-pie",
    "-ffunction-sections",
    "-fdata-sections",
    "-U_FORTIFY_SOURCE",
    "-D_GNU_SOURCE",
    `-DCONFIG_VERSION="${QUICKJS.version}"`,
    "-nostdinc",
    ...["-isystem", musl.include],
    ...["-isystem", partOf(compiler, "-print-file-name=include")],
    ...["-I", source],
  ];
  const objects = await Promise.all(
    files.map(async (file) => {
      const object = join(CACHE, architecture, `${file.split("/").at(-1)}.o`);
      const headers = file.startsWith(HOST) ? [join(HOST, "heap.h")] : [];
      await once(object, [version, ...flags, file, ...headers], () =>
        run(compiler, [...flags, "-c", file, "-o", object]),
      );
      return object;
    }),
  );
  const link = [
    ...["-static", "-no-pie", "-nostdlib", "-s", "-Wl,--gc-sections", "-Wl,--build-id=none"],
    ...["crt1.o", "crti.o"].map((name) => join(musl.lib, name)),
    ...objects,
    ...["-Wl,--start-group", join(musl.lib, "libc.a"), partOf(compiler, "-print-libgcc-file-name"), "-Wl,--end-group"],
    join(musl.lib, "crtn.o"),
  ];
  await once(engine, [version, ...link, ...objects], () => run(compiler, [...link, "-o", engine]));
  return engine;
}

function compilerVersion(compiler) {
  try {
    return execFileSync(compiler, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    throw new Unavailable(`there is no ${compiler}`);
  }
}

/** The path of a file or directory that the compiler came with. */
function partOf(compiler, question) {
  return execFileSync(compiler, [question], { encoding: "utf8" }).trim();
}

async function quickjsSource() {
  const source = join(CACHE, "source");
  await once(source, [QUICKJS.sha256], () => {
    const tarball = fetchFromDebian(join(CACHE, "download"), { source: QUICKJS.package });
    const sha256 = createHash("sha256").update(readFileSync(tarball)).digest("hex");
    if (sha256 !== QUICKJS.sha256) throw new Error(`"${tarball}" has SHA-256 ${sha256} instead of ${QUICKJS.sha256}`);
    rmSync(source, { recursive: true, force: true });
    mkdirSync(source, { recursive: true });
    execFileSync("tar", ["-xf", tarball, "-C", source, "--strip-components=1"]);
  });
  return source;
}

async function muslFor(architecture) {
  const musl = join(CACHE, architecture, "musl");
  await once(musl, [], () =>
    unpackFromDebian(musl, { package: "musl-dev", architecture: TARGETS[architecture].debian }),
  );
  const triplet = `${architecture}-linux-musl`;
  return { include: join(musl, "usr/include", triplet), lib: join(musl, "usr/lib", triplet) };
}
