/** The annotations that fdrunc obeys: crun's, which other programs set, by what they are for. */
export const ANNOTATIONS = {
  /** The socket that takes the seccomp filter's listener, where linux.seccomp.listenerPath is unset. */
  seccompReceiver: "run.oci.seccomp.receiver",
  /** How linux.mountLabel is put to a file system: the name of mount(8)'s option. */
  mountContextType: "run.oci.mount_context_type",
} as const;
