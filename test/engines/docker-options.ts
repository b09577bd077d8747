import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { Docker } from "./docker.js";
import type { Feature } from "./suite.js";

const CAP_SYS_RESOURCE = 24n;

/** Why a machine cannot raise limits; undefined where it can. */
export function withoutResourceCapability(): string | undefined {
  const [, mask] = /^CapBnd:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? ["", "0"];
  return BigInt(`0x${mask}`) & (1n << CAP_SYS_RESOURCE) ? undefined : "needs CAP_SYS_RESOURCE";
}

/** An option, a script to run with it, and what that puts out. */
type Option = readonly [option: string, script: string, output: string, missing?: () => string | undefined];

const OPTIONS: readonly Option[] = [
  ["--init", "ps -o args= | head -n 1", "/sbin/docker-init -- sh -c ps -o args= | head -n 1"],
  ["--privileged", "test -e /dev/loop-control && echo yes", "yes", withoutResourceCapability],
  ["--userns=host", "cat /proc/self/uid_map | tr -s ' '", " 0 0 4294967295"],
  ["--cgroupns=private", "sed -n 's/^.*:pids://p' /proc/self/cgroup", "/"],
  ["--cgroupns=host", "grep -c ':pids:/fdrunc-engines' /proc/self/cgroup", "1"],
  ["--tmpfs=/t:size=1m,mode=700", "grep -c '^tmpfs /t tmpfs .*size=1024k,mode=700' /proc/mounts", "1"],
  ["--volume=/v", "touch /v/file && ls /v", "file"],
  ["--volume=/etc/hostname:/h:ro", "touch /h 2>/dev/null || echo no", "no"],
  [
    "--mount=type=bind,src=/run,dst=/r,bind-propagation=rprivate",
    "grep ' /r ' /proc/self/mountinfo | grep -c ' - '",
    "1",
  ],
  ["--device=/dev/null:/dev/nothing:rw", "echo x > /dev/nothing && stat -c %t:%T /dev/nothing", "1:3"],
  ["--device-cgroup-rule=c 10:237 rwm", "mknod /l c 10 237 && : < /l && echo yes", "yes"],
  ["--security-opt=seccomp=unconfined", "grep -w Seccomp: /proc/self/status", "Seccomp:\t0"],
  ["--security-opt=no-new-privileges", "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"],
  ["--cap-drop=all", "grep CapEff /proc/self/status", "CapEff:\t0000000000000000"],
  ["--cap-add=sys_admin", "mount -t tmpfs t /tmp && echo yes", "yes"],
  ["--user=user", "id -u; id -g", "1000\n1000"],
  ["--group-add=77", "id -G", "0 77"],
  ["--ulimit=nofile=100:200", "ulimit -Sn; ulimit -Hn", "100\n200"],
  ["--sysctl=net.ipv4.ip_unprivileged_port_start=7", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "7"],
  ["--shm-size=1m", "grep -c '^shm /dev/shm tmpfs .*size=1024k' /proc/mounts", "1"],
  ["--pid=host", "test $$ = 1 || echo no", "no"],
  ["--ipc=host", "echo ran", "ran"],
  ["--uts=host", "hostname", ""],
  ["--hostname=me", "hostname", "me"],
  ["--add-host=there:10.1.2.3", "grep there /etc/hosts", "10.1.2.3\tthere"],
  ["--dns=10.1.2.4", "grep nameserver /etc/resolv.conf", "nameserver 10.1.2.4"],
  ["--network=none", "ls /sys/class/net", "lo"],
  ["--network=host", "ls /sys/class/net | grep docker0", "docker0"],
  ["--read-only", "touch /x 2>/dev/null || echo no", "no"],
  ["--workdir=/made/there", "pwd", "/made/there"],
  ["--env=A=b", "echo $A", "b"],
  ["--memory=64m", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"],
  ["--memory-swap=-1", "echo ran", "ran"],
  ["--cpus=0.5", "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000"],
  ["--cpu-shares=512", "cat /sys/fs/cgroup/cpu/cpu.shares", "512"],
  ["--cpuset-cpus=0", "grep Cpus_allowed_list /proc/self/status", "Cpus_allowed_list:\t0"],
  ["--pids-limit=20", "cat /sys/fs/cgroup/pids/pids.max", "20"],
  ["--blkio-weight=300", "echo ran", "ran"],
  ["--oom-score-adj=500", "cat /proc/self/oom_score_adj", "500"],
  ["--stop-signal=USR1", "echo ran", "ran"],
];

/** A filter that has chmod(2) fail. */
const PROFILE = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["chmod", "fchmodat"], action: "SCMP_ACT_ERRNO" }],
};

/** Rows for options of `docker run`. */
export const OPTION_FEATURES: readonly Feature<Docker>[] = [
  ...OPTIONS.map(
    ([option, script, output, missing]): Feature<Docker> => ({
      name: `run ${option}`,
      ...(missing && { missing }),
      run: ({ run, place }, runtime) => {
        const expected = option === "--uts=host" ? place.run(["hostname"]).stdout.trim() : output;
        assert.equal(run(runtime, [option], "sh", "-c", script), expected.trim());
      },
    }),
  ),
  {
    name: "run --security-opt=seccomp=FILE",
    run: ({ run, place }, runtime) => {
      const file = place.path("seccomp.json");
      writeFileSync(file, JSON.stringify(PROFILE));
      const script = "chmod 700 /tmp 2>/dev/null || echo no";
      assert.equal(run(runtime, [`--security-opt=seccomp=${file}`], "sh", "-c", script), "no");
    },
  },
];
