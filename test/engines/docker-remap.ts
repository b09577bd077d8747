import assert from "node:assert/strict";
import { eventually } from "../system/harness.js";
import { type Docker, IMAGE } from "./docker.js";
import { type Feature, succeeds } from "./suite.js";

const FIRST = 3_200_000;

/** Makes the user whose ids dockerd gives to containers, by the name that it looks for. Done again, nothing changes. */
const MAKE_USER = `set -e
grep -q ^dockremap: /etc/passwd || echo 'dockremap:x:31001:31001::/:/bin/false' >>/etc/passwd
grep -q ^dockremap: /etc/group || echo 'dockremap:x:31001:' >>/etc/group
for file in subuid subgid; do echo dockremap:${FIRST}:65536 >/etc/$file; done`;

/** A row of a dockerd that gives each container a user namespace. */
export const REMAP_FEATURE: Feature<Docker> = {
  name: "dockerd --userns-remap: run, exec, a volume, --publish, --userns=host",
  run: async (engine, runtime) => {
    const { place, say, use, run } = engine;
    succeeds(place.run(["sh", "-c", MAKE_USER]));
    await engine.withOptions(["--userns-remap=default"], () => {
      const map = ["sh", "-c", "tr -s ' ' </proc/self/uid_map"];
      assert.equal(run(runtime, [], ...map), `0 ${FIRST} 65536`);
      assert.equal(run(runtime, ["--userns=host"], ...map), "0 0 4294967295");
      const serve = ["sh", "-c", "touch /v/file; exec nc -ll -p 80 -e echo served"];
      const flags = ["--publish=127.0.0.1:8080:80", "--volume=remapped:/v", ...use(runtime)];
      say("run", "--detach", "--name=one", ...flags, IMAGE, ...serve);
      eventually(() => assert.equal(say("exec", "one", "stat", "-c", "%u", "/v/file"), "0"));
      const volume = say("volume", "inspect", "--format={{.Mountpoint}}", "remapped");
      assert.equal(place.run(["stat", "-c", "%u", `${volume}/file`]).stdout.trim(), String(FIRST));
      eventually(() => assert.equal(place.run(["busybox", "nc", "127.0.0.1", "8080"]).stdout, "served\n"));
    });
  },
};
