/** The annotations that fdrunc obeys: crun's, which other programs set, by what they are for. */
export const ANNOTATIONS = {
  /** The socket that takes the seccomp filter's listener, where linux.seccomp.listenerPath is unset. */
  seccompReceiver: "run.oci.seccomp.receiver",
} as const;
