import assert from "node:assert/strict";
import { test } from "node:test";
import { Init } from "../../src/launch/init.js";
import { Failure } from "../../src/linux/failure.js";
import { close } from "../../src/linux/file.js";
import { socketPair } from "../../src/linux/socket.js";
import { sys } from "../../src/linux/syscall.js";
import { REPORT_SIZE } from "../../src/machine/program.js";

/** An init whose other end has said something and was closed, with a word to it unread. */
function ended(said: Uint8Array | undefined): Init {
  const [ours, theirs] = socketPair();
  const init = new Init(0, "", ours, (number) => ({ says: `step ${number} of the test`, call: "unshare" }));
  init.go();
  if (said !== undefined) sys("sendto", theirs, said, said.length, 0, null, 0);
  close(theirs);
  return init;
}

test("an init that fails before it reads what it is told is heard", () => {
  const report = new Uint8Array(REPORT_SIZE);
  new Uint32Array(report.buffer).set([4, 12]);
  const init = ended(report);
  assert.throws(
    () => init.next(),
    (error) =>
      error instanceof Failure &&
      error.message === "step 4 of the test (step 4): unshare: cannot allocate memory (ENOMEM)",
  );
  init.hangUp();
});

test("an init that ends without a word has closed its end", () => {
  const init = ended(undefined);
  assert.equal(init.next(), undefined);
  init.hangUp();
});
