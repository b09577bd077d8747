import { ffi } from "../../ffi/driver.js";
import { Connection, DBusError } from "../../linux/dbus/connection.js";
import type { Value, Variant } from "../../linux/dbus/value.js";
import { Failure } from "../../linux/failure.js";
import { sys } from "../../linux/syscall.js";
import type { Property } from "./property.js";
import type { Manager } from "./unit.js";

const DESTINATION = "org.freedesktop.systemd1";
const PATH = "/org/freedesktop/systemd1";
const INTERFACE = "org.freedesktop.systemd1.Manager";
const PROPERTIES = "org.freedesktop.DBus.Properties";

/** A unit of the name is there. */
export const UNIT_EXISTS = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit";

/** A connection to systemd (org.freedesktop.systemd1(5)). Its methods throw DBusError, Failure and SyscallError. */
export class Systemd {
  private constructor(private readonly connection: Connection) {}

  /** Runs `use` with a connection. Throws Failure where there is no systemd to connect to. */
  static use<T>(manager: Manager, use: (systemd: Systemd) => T): T {
    const connection = connect(manager);
    try {
      return use(new Systemd(connection));
    } finally {
      connection.close();
    }
  }

  /** Makes a unit and starts it; returns once it has started. */
  startTransientUnit(name: string, properties: readonly Property[]): void {
    const { version } = this;
    const list = properties.filter(({ since = 0 }) => since <= version).map(written);
    this.#finish(this.#call("StartTransientUnit", "ssa(sv)a(sa(sv))", name, "replace", list, []));
  }

  /** Stops a unit; returns once it has stopped. That there is none is fine. */
  stopUnit(name: string): void {
    unlessAbsent(() => this.#finish(this.#call("StopUnit", "ss", name, "replace")));
    this.resetFailedUnit(name);
  }

  /** The ids of the processes in a unit and below; none where there is no such unit. */
  processesOf(name: string): readonly number[] {
    let processes: readonly Value[] = [];
    unlessAbsent(() => {
      [processes] = this.#call("GetUnitProcesses", "s", name) as readonly [readonly Value[]];
    });
    return processes.map((process) => (process as readonly [string, number, string])[1]);
  }

  /** Moves a process to the cgroup of a unit, or to one below that: "/inner". */
  attachProcess(name: string, cgroup: string, pid: number): void {
    this.#call("AttachProcessesToUnit", "ssau", name, cgroup, [pid]);
  }

  /** Forgets a unit that has failed. */
  resetFailedUnit(name: string): void {
    unlessAbsent(() => this.#call("ResetFailedUnit", "s", name));
  }

  /** Changes a unit's properties until the next boot; returns once the unit's cgroup has them. */
  setUnitProperties(name: string, properties: readonly Property[]): void {
    const { version } = this;
    const list = properties.filter(({ since = 0 }) => since <= version).map(written);
    if (list.length === 0) return;
    this.#call("SetUnitProperties", "sba(sv)", name, true, list);
    // systemd answers first and writes then, but not only after it has answered the next call.
    this.#get("Version");
  }

  /** The cgroup below which those of the units lie, "" for the root. */
  get controlGroup(): string {
    return String(this.#get("ControlGroup"));
  }

  /** 252 of "252.39-1~deb12u2". */
  get version(): number {
    return Number(/\d+/.exec(String(this.#get("Version")))?.[0] ?? 0);
  }

  /** Waits for the end of the job that a call has answered. */
  #finish([job]: readonly Value[]): void {
    const [, , , result] = this.connection.waitFor("JobRemoved", ([, path]) => path === job);
    if (result !== "done") throw new Failure(`the job has ended with "${result}"`);
  }

  #get(property: string): Value {
    const method = { destination: DESTINATION, path: PATH, interface: PROPERTIES, member: "Get", signature: "ss" };
    const [variant] = this.connection.call(method, INTERFACE, property) as readonly [Variant];
    return variant.value;
  }

  #call(member: string, signature: string, ...body: Value[]): readonly Value[] {
    return this.connection.call(
      { destination: DESTINATION, path: PATH, interface: INTERFACE, member, signature },
      ...body,
    );
  }
}

const written = ({ name, signature, value }: Property): Value => [name, { signature, value }];

function unlessAbsent(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DBusError) || error.errorName !== NO_SUCH_UNIT) throw error;
  }
}

/** Connects to systemd by its own socket, else by way of a bus. */
function connect(manager: Manager): Connection {
  let failure: unknown;
  for (const [path, kind] of socketsOf(manager)) {
    try {
      const connection = Connection.open(path, kind);
      if (kind === "bus") connection.subscribe(`type='signal',interface='${INTERFACE}',member='JobRemoved'`);
      return connection;
    } catch (error) {
      failure ??= error;
    }
  }
  throw new Failure(manager === "system" ? "connect to systemd" : "connect to the user's systemd", {
    cause: failure,
    hint: "with --cgroup-manager cgroupfs, cgroups are made without it",
  });
}

function socketsOf(manager: Manager): [path: string, kind: "bus" | "peer"][] {
  if (manager === "system") {
    return [
      ["/run/systemd/private", "peer"],
      ["/run/dbus/system_bus_socket", "bus"],
    ];
  }
  const directory = variable("XDG_RUNTIME_DIR") || `/run/user/${sys("geteuid")}`;
  const bus = /(?:^|;)unix:path=([^,;]+)/.exec(variable("DBUS_SESSION_BUS_ADDRESS"))?.[1];
  return [
    [`${directory}/systemd/private`, "peer"],
    ...(bus === undefined ? [] : [[bus, "bus"] as [string, "bus"]]),
    [`${directory}/bus`, "bus"],
  ];
}

const variable = (name: string): string =>
  ffi.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
