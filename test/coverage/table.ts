/** The tests that exercise features: by file and title, names of features in which "*" stands for any text, "(a|b)" for either. */
export const COVERAGE: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "cgroup/settings.test.ts": {
    "resources: leaf weights": ["linux.resources.blockIO.(leafWeight|weightDevice[].leafWeight)"],
    "resources: block devices": ["linux.resources.blockIO.(weight|weightDevice[].(major|minor|weight))"],
    "resources: huge pages": ["linux.resources.hugepageLimits[].*"],
    "resources: network class": ["linux.resources.network.classID"],
    "resources: network priorities": ["linux.resources.network.priorities[].*"],
    "resources: RDMA": ["linux.resources.rdma{}.*"],
    "resources: v2 files as they are": ["linux.resources.unified"],
    "resources: no hierarchy": ["linux.resources.memory.useHierarchy"],
    "resources: what memory had in v1 only": ["linux.resources.memory.kernel"],
  },
  "cgroup/unified.test.ts": {
    "checkBeforeUpdate refuses a limit below what is in use": ["linux.resources.memory.checkBeforeUpdate"],
  },
  "commands/commands.test.ts": {
    "the commands and their flags are those that callers know": [
      "option plan --(console-socket|pid-file|pidfd-socket|no-pivot|no-new-keyring|fail-step)",
      "option restore --(no-pivot|no-subreaper)",
      "option run --no-subreaper",
    ],
  },
  "config/rules.test.ts": {
    "rules on personality": ["linux.personality.flags"],
  },
  "init/labels.test.ts": {
    "labels are set last, by the very user, in the procfs that init has mounted": [
      "process.(apparmorProfile|selinuxLabel)",
    ],
    "mounts get their label as an option, but for file systems that the kernel labels": ["linux.mountLabel"],
  },
  "init/mount-options.test.ts": {
    "options that nothing is changed by are no file system's either": [
      "mount option (defaults|iversion|loud|mand|noiversion|nomand|silent)",
    ],
  },
  "resctrl/resctrl-group.test.ts": {
    "a named class is made if there are shares for it, and stays when the container goes": ["linux.intelRdt.closID"],
    "a named class that is there must have the shares that are asked for, however they are written": [
      "linux.intelRdt.(l3CacheSchema|memBwSchema)",
    ],
    "schemata are written last, after the other two, in whatever class there is": ["linux.intelRdt.schemata"],
    "a monitoring group is made in the class, and goes with the container": ["linux.intelRdt.enableMonitoring"],
  },
  "seccomp/compile.test.ts": {
    "x32 is another architecture, but not the number -1, with which tracers skip a system call": [
      "seccomp architecture SCMP_ARCH_X32",
    ],
    "the machine's own architecture need not be named, and others are killed": [
      "seccomp architecture SCMP_ARCH_X86_64",
    ],
  },
  "system/cgroups.test.ts": {
    "cgroupsPath: absolute from the hierarchies' roots, relative and absent from the runtime's default": [
      "linux.cgroupsPath",
    ],
    "without cgroups, where the host is told to go without": ["option --cgroup-manager"],
    "a container runs with a limit of one process, and one more is refused": ["linux.resources.pids.limit"],
  },
  "system/check.test.ts": {
    "check tells how it stands with each thing, as text and as JSON": ["command check", "option check --json"],
  },
  "system/checkpoint.test.ts": {
    "a container that counts is saved, and goes on counting where it was": [
      "command (checkpoint|restore)",
      "option (checkpoint|restore) --image-path",
      "option restore --(pid-file|detach)",
    ],
    "a terminal is restored, and goes to the console socket": ["option restore --console-socket"],
    "what cannot be saved or restored is told in one line, and nothing is left": ["option checkpoint --empty-ns"],
  },
  "system/create-flags.test.ts": {
    "create and run: --bundle, --config, --pid-file": ["option (create|run) --(bundle|config|pid-file)"],
    "create and run: --preserve-fds": ["option (create|run) --preserve-fds"],
    "create and run: --pidfd-socket": ["option (create|run) --pidfd-socket"],
    "create and run: --console-socket": ["option (create|run) --console-socket"],
    "create, run and plan: --no-pivot and --no-new-keyring make other steps, --fail-step makes one fail": [
      "option (create|run) --(no-pivot|no-new-keyring|fail-step)",
    ],
    "plan: --bundle, --config, --preserve-fds, --format": ["option plan --(bundle|config|preserve-fds|format)"],
  },
  "system/criu-flags.test.ts": {
    "checkpoint hands its flags to criu": [
      "option checkpoint --(tcp-established|ext-unix-sk|shell-job|file-locks|auto-dedup|lazy-pages)",
      "option checkpoint --(manage-cgroups-mode|parent-path|leave-running|tcp-skip-in-flight|link-remap|page-server)",
      "option checkpoint --(pre-dump|work-path|status-fd)",
    ],
    "restore hands its flags to criu": [
      "option restore --(tcp-established|ext-unix-sk|shell-job|file-locks|auto-dedup|lazy-pages)",
      "option restore --(manage-cgroups-mode|lsm-profile|lsm-mount-context|work-path|empty-ns|bundle)",
    ],
  },
  "system/devices.test.ts": {
    "configured devices: type, number, mode, owner; in /dev, below it and elsewhere": ["linux.devices[].*"],
    "device rules: what the container may not open it cannot, the default devices it can": [
      "linux.resources.devices[].*",
    ],
  },
  "system/events.test.ts": {
    "events --stats tells once what a container uses": ["command events", "option events --stats"],
    "events of a paused container go on, with --interval as Go writes it": ["option events --interval"],
  },
  "system/exec-options.test.ts": {
    "--user, --additional-gids, --cwd, --env": ["option exec --(user|additional-gids|cwd|env)"],
    "--cap adds to the sets but the inheritable one; --no-new-privs": ["option exec --(cap|no-new-privs)"],
    "--process takes the process from a file; flags and a command change it": ["option exec --process"],
    "--detach leaves the process in the background; --pid-file tells its id": ["option exec --(detach|pid-file)"],
    "--preserve-fds": ["option exec --preserve-fds"],
    "--pidfd-socket gets a descriptor of the process": ["option exec --pidfd-socket"],
    "--tty in the foreground: input, output, size, exit status": ["option exec --tty"],
    "--tty with --console-socket, in the background": ["option exec --console-socket"],
    "--cgroup puts the process into cgroups below the container's": ["option exec --cgroup"],
    "the CPUs of a process that is added": ["process.execCPUAffinity.(initial|final)"],
    "bad input is told by its flag, and leaves nothing behind": ["option exec --(process-label|apparmor|fail-step)"],
  },
  "system/exec.test.ts": {
    "the exit status is the program's; its streams are exec's": ["command exec"],
    "--ignore-paused waits until the container is resumed": ["option exec --ignore-paused"],
  },
  "system/features.test.ts": {
    "features tells all that the specification defines, as it defines it, and nothing that no test exercises": [
      "command features",
      "features: *",
    ],
  },
  "system/hooks.test.ts": {
    "hooks run in order, each in its namespaces, with the state on standard input": ["hook *"],
    "each kind of hook has a program, arguments, an environment and a time": ["hooks.*"],
  },
  "system/lifecycle.test.ts": {
    "a container goes from creating to created, running and stopped, and is gone when deleted": [
      "command (create|start|state|delete)",
      "state: *",
      "annotations",
    ],
    "spec writes what runc's spec writes, but for the host name": ["command spec", "option spec --bundle"],
    "kill sends any signal, by name or number": ["command kill"],
    "kill --all reaches processes that init has left behind, also once it has ended": ["option kill --all"],
    "delete --force removes a container in any state, and none is fine": ["option delete --force"],
    "--root says where the state is kept": ["option --root"],
    "list: a table, JSON, names alone": ["command list", "option list --(format|quiet)"],
  },
  "system/commands-beside-runc.test.ts": {
    "several containers are signalled and removed by a regular expression": ["option (kill|delete) --regex"],
    "what does not matter enough is not logged; files may be named as crun's log is": ["option --log-level"],
  },
  "system/limits.test.ts": {
    "memory and swap in cgroup v1": [
      "linux.resources.memory.(limit|reservation|swap|kernelTCP|swappiness|disableOOMKiller)",
    ],
    "CPU time in cgroup v1": ["linux.resources.cpu.(shares|quota|burst|period|cpus|mems|idle)"],
    "realtime CPU time in cgroup v1": ["linux.resources.cpu.(realtimeRuntime|realtimePeriod)"],
    "block devices in cgroup v1": ["linux.resources.blockIO.throttle*"],
  },
  "system/log.test.ts": {
    "errors go to the log as lines that engines take apart, the same text as on standard error": [
      "option --(log|log-format)",
    ],
    "what the specification does not know is passed over, and told at --debug": ["option --debug"],
  },
  "system/mounts.test.ts": {
    "each mount option has its effect on a new file system": [
      "mount option (async|atime|dev|diratime|dirsync|exec|lazytime|noatime|nodev|nodiratime|noexec|nolazytime)",
      "mount option (norelatime|nostrictatime|nosuid|nosymfollow|private|relatime|ro|rw|strictatime|suid|symfollow|sync)",
      "mount option (ratime|rdev|rdiratime|rexec|rnoatime|rnodev|rnodiratime|rnoexec|rnorelatime|rnostrictatime|rnosuid)",
      "mount option (rnosymfollow|rprivate|rrelatime|rro|rrw|rstrictatime|rsuid|rsymfollow)",
      "mounts[].(destination|type|options)",
    ],
    "mount propagation is set for a mount, and for all below it": [
      "mount option (shared|slave|unbindable|rshared|rslave|runbindable)",
    ],
    "rootfsPropagation decides whether mounts spread between host and container": ["linux.rootfsPropagation"],
    "directories and files are bound, alone or with all below, and made where they are missing": [
      "mount option (bind|rbind)",
      "mounts[].source",
    ],
    "remount changes a mount that is there": ["mount option remount"],
    "tmpcopyup fills a tmpfs with what lies beneath: types, modes, owners, times, links, attributes": [
      "mount option tmpcopyup",
    ],
    "the root file system is read-only, or writable": ["root.readonly"],
    "masked and read-only paths: files, directories, those that are absent, in order": [
      "linux.(maskedPaths|readonlyPaths)",
    ],
    "idmapped mounts show files as other users', here and recursively": ["mounts[].(uid|gid)Mappings[].*"],
    "an idmapped mount without maps of its own has those of the user namespace, new or joined": ["mount option idmap"],
    "idmap is for the mount alone, ridmap for all below it": ["mount option ridmap"],
  },
  "system/namespaces.test.ts": {
    "a container has the namespaces that the config lists, and the runtime's for the rest": [
      "namespace (cgroup|ipc|mount|network|pid|uts)",
      "linux.namespaces[].type",
    ],
    "namespaces of another container are joined by their paths": ["linux.namespaces[].path"],
    "host name and domain name are the container's own": ["hostname", "domainname"],
    "kernel parameters are set in the container's namespaces alone": ["linux.sysctl"],
    "a user namespace maps ids; files, devices and mounts work in it": [
      "namespace user",
      "linux.(uid|gid)Mappings[].*",
    ],
  },
  "system/network-devices.test.ts": {
    "devices are moved into the container, with the addresses that last": ["linux.netDevices{}.name"],
  },
  "system/pause.test.ts": {
    "a paused container does nothing until it is resumed, and says so": ["command (pause|resume)"],
  },
  "system/plan.test.ts": {
    "plan works as an ordinary user, and touches nothing": ["command plan"],
  },
  "system/process.test.ts": {
    "each capability is granted; one that the host does not grant, or does not know, is left out": ["capability *"],
    "capability sets are those of the config": ["process.capabilities.(ambient|bounding|inheritable|permitted)"],
    "the effective capabilities are those that the program is executed with": ["process.capabilities.effective"],
    "user, group, supplementary groups, umask, no_new_privs": [
      "process.user.(uid|gid|umask|additionalGids)",
      "process.noNewPrivileges",
    ],
    "limits are set, also those without end": ["process.rlimits[].*"],
    "oom_score_adj is set; unset it stays the caller's": ["process.oomScoreAdj"],
    "environment, arguments and working directory arrive as they are": ["process.(args|env|cwd)"],
    "seccomp: an errno, a kill and what is allowed": ["linux.seccomp.syscalls[].errnoRet"],
  },
  "system/ps.test.ts": {
    "ps lists a container's processes by their ids on the host": ["command ps"],
    "ps hands options to the host's ps, its own stand before the container's name": ["option ps --format"],
  },
  "system/rootless.test.ts": {
    "an ordinary user: root in a container with no other id, by what `spec --rootless` writes": [
      "option spec --rootless",
    ],
  },
  "system/rootless-refusals.test.ts": {
    "an ordinary user: `--rootless` says whether to go without the cgroups that may not be made": ["option --rootless"],
  },
  "system/run.test.ts": {
    "run gives what the program gives: its output, its status, a signal's number above 128": [
      "command run",
      "ociVersion",
      "root.path",
    ],
    "run --detach leaves the container running, and tells its process": ["option run --detach"],
    "run --keep leaves the stopped container's remains": ["option run --keep"],
  },
  "system/scheduling.test.ts": {
    "a program is scheduled by the policy, nice value and priority of the config": [
      "process.scheduler.(nice|priority)",
    ],
    "a deadline is set, to the nanosecond": ["process.scheduler.(policy|flags|runtime|deadline|period)"],
    "I/O priorities of each class": ["process.ioPriority.*"],
    "the memory policy is the program's; nodes that are not there are refused": [
      "linux.memoryPolicy.*",
      "memory policy mode MPOL_(DEFAULT|BIND|INTERLEAVE|PREFERRED|LOCAL)",
      "memory policy flag *",
    ],
    "modes that only newer kernels have": ["memory policy mode MPOL_(PREFERRED_MANY|WEIGHTED_INTERLEAVE)"],
    "the execution domain is the machine's own, or its 32-bit form": ["linux.personality.domain"],
  },
  "system/seccomp.test.ts": {
    "each operator compares arguments of system calls": ["seccomp operator *", "linux.seccomp.syscalls[].args[].*"],
    "each action has its effect on a system call": [
      "seccomp action SCMP_ACT_(ALLOW|ERRNO|KILL|KILL_PROCESS|KILL_THREAD|TRACE|TRAP)",
      "linux.seccomp.syscalls[].(names|action)",
    ],
    "what no rule names is up to the default action, with its error number": [
      "linux.seccomp.(defaultAction|defaultErrnoRet)",
      "seccomp action SCMP_ACT_LOG",
    ],
    "each flag reaches the kernel": ["linux.seccomp.flags", "seccomp flag *"],
    "rules hold for each architecture that is named": [
      "linux.seccomp.architectures",
      "seccomp architecture SCMP_ARCH_(X86|ARM|AARCH64|LOONGARCH64|MIPSEL|MIPSEL64|MIPSEL64N32|PPC64LE|RISCV64|SH)",
    ],
  },
  "system/seccomp-agent.test.ts": {
    "an agent outside makes the directories that a container asks for": [
      "linux.seccomp.(listenerPath|listenerMetadata)",
      "seccomp action SCMP_ACT_NOTIFY",
    ],
  },
  "system/systemd.test.ts": {
    "without systemd, what needs it says so and leaves nothing": ["option --systemd-cgroup"],
  },
  "system/terminal.test.ts": {
    "a terminal goes to the console socket; it is the container's controlling one and its /dev/console": [
      "process.terminal",
    ],
    "the terminal has the config's size, belongs to the user, and passes on changes and signals": [
      "process.consoleSize.(height|width)",
    ],
  },
  "system/time-namespace.test.ts": {
    "a container has clocks of its own, set apart from the host's": ["namespace time", "linux.timeOffsets.*"],
  },
  "system/update.test.ts": {
    "update sets limits, up and down, by flags: cgroup v1's controllers": [
      "command update",
      "option update --(memory|memory-reservation|memory-swap|cpu-share|cpu-quota|cpu-period|cpu-burst|cpu-idle)",
      "option update --(cpuset-cpus|pids-limit|blkio-weight)",
    ],
    "update takes resources as JSON, from a file and from standard input; devices stay as they are": [
      "option update --resources",
    ],
    "update sets realtime CPU time, in cgroup v1": ["option update --(cpu-rt-period|cpu-rt-runtime)"],
    "what update cannot set is refused by its flag": ["option update --cpuset-mems"],
    "schemas of resctrl are written to the container's class of service": [
      "option update --(l3-cache-schema|mem-bw-schema)",
    ],
  },
};

/** What the specification gives no effect on Linux. */
export const NO_EFFECT: Readonly<Record<string, string>> = {
  windows: "for containers of Windows alone",
  solaris: "for containers of Solaris alone",
  vm: "for containers in virtual machines alone",
  zos: "for containers of z/OS alone",
  freebsd: "for containers of FreeBSD alone",
  "process.commandLine": "for containers of Windows alone",
  "process.user.username": "for containers of Windows alone",
};

/** A test that exercises a feature, and by which name the table has that. */
export interface Named {
  readonly file: string;
  readonly title: string;
  readonly pattern: string;
}

const ENTRIES = Object.entries(COVERAGE).flatMap(([file, tests]) =>
  Object.entries(tests).flatMap(([title, patterns]) =>
    patterns.map((pattern) => ({ file, title, pattern, expression: expressionOf(pattern) })),
  ),
);

/** The tests that exercise a feature. */
export const namedBy = (feature: string): Named[] => ENTRIES.filter(({ expression }) => expression.test(feature));

function expressionOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.[\]{}]/g, "\\$&").replaceAll("*", ".+")}$`);
}
