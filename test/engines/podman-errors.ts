import assert from "node:assert/strict";
import { DENIALS } from "./denied-cgroups.js";
import type { Podman } from "./podman.js";
import type { Feature } from "./suite.js";

/** Rows whose containers cannot run: what podman says of it is one line, which tells why. */
export const ERRORS: readonly Feature<Podman>[] = [
  {
    name: "errors in one readable line: no program, a bad option of a mount, a limit that is too low",
    run(p, runtime) {
      const line = (status: number, about: RegExp, outcome: { status: number | null; stderr: string }) => {
        assert.equal(outcome.status, status, outcome.stderr);
        assert.match(outcome.stderr, /^Error: [^\n]+\n$/);
        assert.match(outcome.stderr, about);
      };
      line(127, /exec:? "nothing": executable file not found/, p.run(runtime, [], "nothing"));
      const bad = "--mount=type=tmpfs,destination=/x,tmpfs-mode=zz";
      line(126, /tmpfs.*\/x|\/x.*tmpfs/, p.run(runtime, [bad], "true"));
      line(126, /memory/, p.run(runtime, ["--memory=1"], "true"));
      p.start(runtime);
      line(127, /exec:? "nothing": executable file not found/, p.podman("exec", "c", "nothing"));
    },
  },
  ...DENIALS.map(
    ({ name, missing, flags, why, deny }): Feature<Podman> => ({
      name: `error: a cgroup denied: ${name}`,
      missing,
      run: (p, runtime) =>
        deny(p.place, (parent) => {
          const { status, stderr } = p.run(runtime, [`--cgroup-parent=/${parent}`, ...flags], "true");
          assert.equal(status, 126, stderr);
          // podman itself may warn that its monitor goes without a cgroup.
          const [line = ""] = /^Error: [^\n]+\n$/m.exec(stderr) ?? [];
          assert.match(line, why, stderr);
        }),
    }),
  ),
];
