import { ANNOTATIONS } from "../config/annotations.js";
import { member } from "../config/explain.js";
import { hasNamespace, makesNamespace } from "../config/rules/namespaces.js";
import { unknownProperties } from "../config/unknown-properties.js";
import { warningsOf } from "../config/validate.js";
import { ffi } from "../ffi/driver.js";
import type { Config } from "../generated/config.js";
import type { Compiled } from "../init/compile.js";
import { type Facts, input } from "../init/facts.js";
import { hasCreateHooks } from "../init/rootfs.js";
import { isScheduledByRuntime } from "../init/scheduling.js";
import { writeIdMaps } from "../launch/id-maps.js";
import type { Init } from "../launch/init.js";
import { launch } from "../launch/launch.js";
import type { SignalPipe } from "../launch/signal-pipe.js";
import { copyUp } from "../linux/copy-up.js";
import { Failure } from "../linux/failure.js";
import { close, type Fd, using } from "../linux/file.js";
import { openProcess, waitReadable } from "../linux/process.js";
import { listenUnix } from "../linux/socket.js";
import { sys } from "../linux/syscall.js";
import { stepCount, stepsFrom } from "../machine/steps.js";
import { connectTo, requireConsole, requirePreserved, sendProcess, writePidFile } from "./caller.js";
import { detachedMounts } from "./detached-mounts.js";
import { streamNames } from "./external-streams.js";
import { namespaceTypes, pidInside, runHooks, runStopHooks } from "./hooks.js";
import { keepFilter } from "./kept-filters.js";
import { setOomScoreAdj, setRlimits, setScheduling } from "./limits.js";
import { openNamespaces } from "./namespaces.js";
import { NetworkPair } from "./network-devices.js";
import { NewContainer } from "./new-container.js";
import type { CreateOptions } from "./options.js";
import { type Plan, plan } from "./plan.js";
import type { Saved } from "./saved.js";
import { requireAgent } from "./seccomp-agent.js";
import { giveStandardStreams } from "./standard-streams.js";
import { specState } from "./state.js";
import { START_SOCKET, type StateDirectory } from "./state-directory.js";

/** A container that was just created, as long as the command that did it lives. */
export interface Created {
  readonly config: Config;
  readonly saved: Saved;
  readonly directory: StateDirectory;
  /** The terminal's controlling end, where no console socket took it. */
  readonly terminal?: Fd;
}

/** The step at which init waits for `start`. */
const WAITING = "accept4";

/**
 * Creates a container (runtime.md, "Create"): everything up to the wait for `start`. The container's directory stays
 * locked. Throws Failure, with nothing left behind.
 *
 * @param takeSignals takes the signals that are meant for the container, while init works: then they end hooks
 */
export function create(options: CreateOptions, takeSignals?: () => SignalPipe | undefined): Created {
  ffi.expand();
  const planned = plan(options);
  const { config, facts, compiled, preserveFds } = planned;
  tellOddities(config, facts, options);
  requireRights(config);
  requireConsole(config.process, options);
  requirePreserved(preserveFds);
  requireAgent(config);
  // A terminal's end is the container's own.
  const streams = config.process?.terminal ? [] : streamNames([0, 1, 2]);
  const places = Object.fromEntries(facts.places);
  const record = { newKeyring: options.newKeyring, streams, places, rest: restOf(compiled) };
  return NewContainer.make(options, options.id, { ...planned, record }, (container) => {
    const { directory, undo } = container;
    const { pidfdSockets, ...handed } = openHanded(container, planned, options);
    giveStandardStreams(config);
    const init = launch({ compiled, preserveFds, ...handed });
    undo.add(() => runStopHooks(container.saved, options.warn));
    undo.add(() => init.kill());
    // The process that was to make it has told why there is none.
    if (init.pid === 0) init.next();
    container.recordProcess(init.pid);
    container.record({ executable: init.executable });
    container.admit(init.pid);
    // Hooks may take long, and commands may ask meanwhile.
    if (hasCreateHooks(config)) container.save();
    if (makesNamespace(config, "user")) giveIdMaps(init, config);
    init.go();
    const signals = takeSignals?.();
    keepCompiledFilter(options.root, config, compiled);
    const terminal = converse(init, container, config, signals);
    treat(config, container.saved);
    container.record({ ready: true });
    container.save();
    for (const socket of pidfdSockets) sendProcess(socket, init.pid);
    writePidFile(options, init.pid);
    init.go();
    init.hangUp();
    return { config, saved: container.saved, directory, ...(terminal !== undefined && { terminal }) };
  });
}

/** Descriptors that a container is made with. */
interface Handed {
  /** For the slots of init's program, by their names; and namespaces to join, by type. */
  readonly inputs: Readonly<Record<string, Fd>>;
  readonly namespaces: Readonly<Record<string, Fd>>;
  /** The cgroup v2 to start in. */
  readonly cgroup?: Fd;
  /** Sockets that take a descriptor of the process. */
  readonly pidfdSockets: readonly Fd[];
}

/** Opens what init is handed, and what the caller waits at. Throws Failure. */
function openHanded({ keep, directory }: NewContainer, planned: Plan, options: CreateOptions): Handed {
  const { config, facts, cgroups } = planned;
  const inputs: Record<string, Fd> = {};
  const entry = cgroups === undefined || cgroups.unit !== undefined ? undefined : cgroups.cgroup.openEntry();
  for (const { name, fd } of entry?.tasks ?? []) inputs[input.tasks(name)] = keep(fd);
  if (entry?.into !== undefined) keep(entry.into);
  const namespaces = openNamespaces(config);
  for (const type in namespaces) keep(namespaces[type]);
  const mounts = detachedMounts(config, facts);
  for (const name in mounts) inputs[name] = keep(mounts[name]);
  const connect = (name: string, path: string | undefined): Fd[] =>
    path === undefined ? [] : [keep(connectTo(name, path))];
  const [console] = connect("--console-socket", options.consoleSocket);
  if (console !== undefined) inputs[input.console] = console;
  inputs[input.start] = keep(listenUnix(directory.fd, START_SOCKET));
  const receiver = ANNOTATIONS.pidfdReceiver;
  const pidfdSockets = [
    ...connect("--pidfd-socket", options.pidfdSocket),
    ...connect(member("annotations", receiver), config.annotations?.[receiver]),
  ];
  return { inputs, namespaces, pidfdSockets, ...(entry?.into !== undefined && { cgroup: entry.into }) };
}

/** Tells what in a config is odd; what the specification does not know is for those who look for faults. */
function tellOddities(config: Config, { permitted }: Facts, { warn, note }: CreateOptions): void {
  for (const warning of warningsOf(config, permitted)) warn(warning);
  if (note === undefined) return;
  for (const path of unknownProperties(config)) note(`${path}: not known to the specification, so passed over`);
}

/** Who has no rights has them all in a user namespace. */
function requireRights(config: Config): void {
  if (sys("geteuid") === 0 || hasNamespace(config, "user")) return;
  throw new Failure("linux.namespaces", {
    cause: "a rootless container requires user namespaces: there is none in the config, and the caller is not root",
    hint: "`fdrunc spec --rootless` writes a config.json that has one",
  });
}

/** Keeps the filter for those who come later, unless it was there already. */
function keepCompiledFilter(root: string, { linux }: Config, { filter }: Compiled): void {
  if (linux?.seccomp !== undefined && filter !== undefined) keepFilter(root, linux.seccomp, filter);
}

/** Gives init its id maps. Where it was killed, for want of memory say, that is the reason why it has none. */
function giveIdMaps(init: Init, config: Config): void {
  try {
    writeIdMaps(init.pid, config);
  } catch (error) {
    using(openProcess(init.pid), (process) => waitReadable(process, A_MOMENT));
    const ending = init.ending();
    throw ending === undefined ? error : endedEarly(ending);
  }
}

/** What one that is killed takes to end, in milliseconds. */
const A_MOMENT = 100;

const endedEarly = (cause: string): Failure =>
  new Failure("init ended before the container was created", {
    cause,
    hint: "is linux.resources.memory.limit or pids.limit too low?",
  });

/** Gives init what it may not give itself, or what is not to hold for it before it is done. Throws Failure. */
function treat(config: Config, { pid, owner }: Saved): void {
  if (config.process === undefined) return;
  if (hasNamespace(config, "user")) setRlimits(pid, config.process);
  if (isScheduledByRuntime(config, owner === 0)) setScheduling(pid, config.process);
  setOomScoreAdj(pid, config.process);
}

/** Answers init until it is ready. Returns the terminal's controlling end, where init sent it here. */
function converse(
  init: Init,
  container: NewContainer,
  config: Config,
  signals: SignalPipe | undefined,
): Fd | undefined {
  let terminal: Fd | undefined;
  let copyFrom: Fd | undefined;
  for (;;) {
    const said = init.next();
    if (said === undefined) throw endedEarly(init.fate());
    switch (said.message) {
      case "copy-up-source":
        copyFrom = said.fd;
        break;
      case "copy-up-target":
        copyContents(copyFrom as Fd, said.fd as Fd);
        init.go();
        break;
      case "isolated":
        moveDevices(container, config);
        container.delegate();
        init.go();
        break;
      case "mounted":
        runCreateHooks(config, container.saved, signals);
        init.go();
        break;
      case "terminal":
        terminal = said.fd;
        break;
      case "ready":
        return terminal;
    }
  }
}

/** Moves network devices to the container; its end would not bring them back. Throws Failure. */
function moveDevices({ saved, undo, keep }: NewContainer, config: Config): void {
  if (Object.keys(config.linux?.netDevices ?? {}).length === 0) return;
  NetworkPair.open(saved.pid, keep).moveIn(config, (takeBack) => undo.add(takeBack));
}

/** Fills a tmpfs with what lies below it. */
function copyContents(from: Fd, to: Fd): void {
  try {
    copyUp(from, to);
  } catch (cause) {
    const hint = sys("geteuid") === 0 ? undefined : "an ordinary user can only copy files that belong to that user";
    throw new Failure("mounts with option tmpcopyup: copy what lies below", { cause, ...(hint && { hint }) });
  } finally {
    close(from);
    close(to);
  }
}

/** The hooks between the making of the environment and the change of root. */
function runCreateHooks(config: Config, saved: Saved, signals: SignalPipe | undefined): void {
  const { hooks = {} } = config;
  const state = specState(saved, "creating");
  const init = saved.pid;
  runHooks("prestart", hooks.prestart, { state, init, signals });
  runHooks("createRuntime", hooks.createRuntime, { state, init, signals });
  if (hooks.createContainer?.length) {
    const inside = specState(saved, "creating", pidInside(saved.pid));
    const join = { pid: saved.pid, types: namespaceTypes(config) };
    runHooks("createContainer", hooks.createContainer, { state: inside, join, init, signals });
  }
}

/** The steps that init has yet to make once it is ready: from its wait on. */
function restOf({ launcher, init }: Compiled): Saved["rest"] {
  const { number, steps } = stepsFrom(init, (step) => "call" in step && step.call === WAITING);
  const told = steps.map((step) => {
    const { says, from, hint } = step;
    return { says, from, hint, ...("call" in step && { call: step.call }) };
  });
  return { first: stepCount(launcher) + number, steps: told };
}
