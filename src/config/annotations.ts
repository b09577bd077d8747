/** The annotations that fdrunc obeys: crun's, which other programs set, by what they are for. */
export const ANNOTATIONS = {
  /** "1": the process keeps the groups of who creates the container. */
  keepOriginalGroups: "run.oci.keep_original_groups",
  /** Files that hooks write their standard output and error to, at the end. */
  hooksStdout: "run.oci.hooks.stdout",
  hooksStderr: "run.oci.hooks.stderr",
  /** The socket that takes a descriptor of the container's process, as --pidfd-socket does. */
  pidfdReceiver: "run.oci.pidfd_receiver",
  /** How linux.mountLabel is put to a file system: the name of mount(8)'s option. */
  mountContextType: "run.oci.mount_context_type",
  /** The socket that takes the seccomp filter's listener, where linux.seccomp.listenerPath is unset. */
  seccompReceiver: "run.oci.seccomp.receiver",
  /** The cgroup below its systemd unit's that the container and its limits are in, instead of the unit's; v2 only. */
  systemdSubgroup: "run.oci.systemd.subgroup",
  /** The cgroup below the container's own that its process is put in, for it to manage; v2 only. */
  delegateCgroup: "run.oci.delegate-cgroup",
  /** Present: a name in linux.seccomp that is no system call of any machine is an error. */
  failUnknownSyscall: "run.oci.seccomp_fail_unknown_syscall",
} as const;
