import {
  createServer,
  IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
} from 'node:http';

/** An Express application, as far as a server has to know it. */
export type App = RequestListener & { readonly request: object; readonly response: object };

/** A server whose application can be replaced while it listens. */
export interface AppServer {
  readonly server: Server;
  setApp(app: App): void;
}

/** Node's own classes, as the functions that they are. */
type Constructor = (this: object, from: unknown, options: unknown) => void;
const [NodeRequest, NodeResponse] = [IncomingMessage, ServerResponse] as unknown as Constructor[];

/**
 * A function to be called with `new` that makes what `make` makes, of whatever prototype it has by
 * then. `make` is called and not constructed: `Reflect.construct` with another prototype is slower
 * than what is to be avoided here.
 */
function createKind(make: Constructor | undefined): Constructor {
  return function kind(this: object, from: unknown, options: unknown): void {
    make?.call(this, from, options);
  };
}

/**
 * An HTTP server for Express applications that makes requests and answers of Express's kind at
 * once. Otherwise Express turns each of Node's into its own by giving it another prototype, which
 * makes V8 forget all it knows about them: that alone is three quarters of the time of a small
 * answer.
 */
export function createAppServer(): AppServer {
  let handle: App | undefined;
  const requests = createKind(NodeRequest);
  const responses = createKind(NodeResponse);
  const server = createServer(
    {
      IncomingMessage: requests as unknown as typeof IncomingMessage,
      ServerResponse: responses as unknown as typeof ServerResponse,
    },
    (request, response) => handle?.(request, response),
  );
  return {
    server,
    setApp(app) {
      requests.prototype = app.request;
      responses.prototype = app.response;
      handle = app;
    },
  };
}
