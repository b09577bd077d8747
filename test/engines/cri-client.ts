import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { ROOT } from "../folders.js";

const PROTO = join(ROOT, ".cache/cri/api.proto");

/** Why there is no client; false where there is. */
export const MISSING_CRI: string | false = !existsSync(PROTO)
  ? "needs Kubernetes' api.proto, which Debian's sid has"
  : !existsSync(join(ROOT, "node_modules/@grpc/grpc-js")) && "needs the package @grpc/grpc-js";

/** A message of the interface: its fields by their names in api.proto; integers of 64 bits are texts. */
// biome-ignore lint/suspicious/noExplicitAny: api.proto is read when it is there, so its types are not known
export type Message = { readonly [field: string]: any };

type Method = (request: object, done: (error: Error | null, response: Message) => void) => void;

/** What there is of a service in the libraries: methods by name. */
type Service = new (address: string, credentials: unknown) => Record<string, Method> & { close(): void };

/** A client of the services that the kubelet calls: RuntimeService and ImageService. */
export class CriClient {
  private constructor(private readonly services: readonly InstanceType<Service>[]) {}

  /** @param socket the path of the engine's socket */
  static open(socket: string): CriClient {
    // Required only where tests of this interface run.
    const require = createRequire(import.meta.url);
    const grpc = require("@grpc/grpc-js");
    const { loadSync } = require("@grpc/proto-loader");
    const definition = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true });
    const { RuntimeService, ImageService } = grpc.loadPackageDefinition(definition).runtime.v1;
    const connect = (service: Service) => new service(`unix://${socket}`, grpc.credentials.createInsecure());
    return new CriClient([RuntimeService, ImageService].map(connect));
  }

  /** Calls a method by its name in api.proto. Throws what the engine answers. */
  call(method: string, request: object = {}): Promise<Message> {
    const service = this.services.find((one) => method in one);
    if (service === undefined) throw new Error(`${method} is not a method`);
    return new Promise((resolve, reject) => {
      service[method](request, (error, response) => (error ? reject(error) : resolve(response)));
    });
  }

  close(): void {
    for (const service of this.services) service.close();
  }
}
