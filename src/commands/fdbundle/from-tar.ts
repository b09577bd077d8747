import { type Command, Option } from "commander";
import { STORE_KINDS, type StoreKind } from "../../bundle/bundle-record.js";
import { makeBundle } from "../../bundle/make-bundle.js";
import { type Platform, parsePlatform } from "../../bundle/platform.js";
import { print, printError } from "../print.js";
import { type RunFlags, runOptions, withRunFlags } from "./run-flags.js";
import { inSession } from "./session.js";

interface Options extends RunFlags {
  output?: string;
  name?: string;
  platform?: Platform;
  store?: StoreKind;
}

export function defineFromTar(program: Command): void {
  withRunFlags(program.command("from-tar <tarball>"))
    .description("turn a tarball, as docker save, podman save or skopeo write it, or its directory, into a bundle")
    .option("-o, --output <directory>", "the bundle's directory (default: ./ and the image's name)")
    .option("--name <reference>", "which image, where the tarball holds several")
    .option("--platform <platform>", "for what machine, where there are several: linux/arm64", parsePlatform)
    .addOption(
      new Option("--store <kind>", "how layers are kept: shared by bundles, or a full copy for each").choices(
        STORE_KINDS,
      ),
    )
    .action((tarball: string, command: string[], { output, name, platform, store: kind, ...flags }: Options) =>
      inSession(program, async ({ store, task }) => {
        const run = runOptions(flags, command);
        const path = await makeBundle(store, { tarball, name, platform, output, store: kind, run }, task);
        print(`${path}\n`);
        printError(`run it by: fdrunc run -b ${shellQuote(path)} ${idFor(path)}\n`);
      }),
    );
}

/** A container's id after the bundle's directory. */
const idFor = (path: string): string => path.slice(path.lastIndexOf("/") + 1).replace(/[^A-Za-z0-9_+.-]/g, "-");

/** As a word that a shell takes literally. */
const shellQuote = (text: string): string =>
  /^[A-Za-z0-9_/.:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
