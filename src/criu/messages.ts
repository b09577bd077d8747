import type { Message } from "./protobuf.js";

/*
 * What is used of criu's protocol (rpc.proto): fields by criu's own names and numbers.
 */

const criu_opts = {
  images_dir_fd: [1, "number"],
  pid: [2, "number"],
  leave_running: [3, "boolean"],
  ext_unix_sk: [4, "boolean"],
  tcp_established: [5, "boolean"],
  evasive_devices: [6, "boolean"],
  shell_job: [7, "boolean"],
  file_locks: [8, "boolean"],
  log_level: [9, "number"],
  log_file: [10, "text"],
  ps: [11, { address: [1, "text"], port: [2, "number"] }],
  notify_scripts: [12, "boolean"],
  root: [13, "text"],
  parent_img: [14, "text"],
  track_mem: [15, "boolean"],
  auto_dedup: [16, "boolean"],
  work_dir_fd: [17, "number"],
  link_remap: [18, "boolean"],
  ext_mnt: [23, { key: [1, "text"], val: [2, "text"] }],
  manage_cgroups: [24, "boolean"],
  cg_root: [25, { ctrl: [1, "text"], path: [2, "text"] }],
  rst_sibling: [26, "boolean"],
  inherit_fd: [27, { key: [1, "text"], fd: [2, "number"] }],
  manage_cgroups_mode: [34, "number"],
  external: [37, "text"],
  empty_ns: [38, "number"],
  join_ns: [39, { ns: [1, "text"], ns_file: [2, "text"] }],
  freeze_cgroup: [44, "text"],
  tcp_skip_in_flight: [46, "boolean"],
  lazy_pages: [48, "boolean"],
  orphan_pts_master: [50, "boolean"],
  config_file: [51, "text"],
  lsm_profile: [53, "text"],
  lsm_mount_context: [63, "text"],
} as const satisfies Message;

const criu_features = {
  mem_track: [1, "boolean"],
  lazy_pages: [2, "boolean"],
} as const satisfies Message;

/** What criu is asked. */
export const REQUEST = {
  type: [1, "number"],
  opts: [2, criu_opts],
  notify_success: [3, "boolean"],
  features: [5, criu_features],
} as const satisfies Message;

/** What criu answers, and what it tells meanwhile. */
export const RESPONSE = {
  type: [1, "number"],
  success: [2, "boolean"],
  restore: [4, { pid: [1, "number"] }],
  notify: [5, { script: [1, "text"], pid: [2, "number"] }],
  cr_errno: [7, "number"],
  features: [8, criu_features],
  cr_errmsg: [9, "text"],
} as const satisfies Message;

/** criu_req_type: the kinds of requests and responses. */
export const KINDS = { dump: 1, restore: 2, "pre-dump": 4, notify: 6, "feature-check": 9 } as const;

/** criu_cg_mode: what becomes of cgroups, by the words of `--manage-cgroups-mode`. */
export const CGROUP_MODES: Readonly<Record<string, number>> = { ignore: 0, soft: 3, full: 4, strict: 5 };

/** The mode where none is asked for: criu's own choice. */
export const DEFAULT_CGROUP_MODE = 6;
