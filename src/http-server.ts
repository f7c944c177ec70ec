import {
  createServer,
  IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';

/** An Express application, as far as a server has to know it. */
export type App = RequestListener & { readonly request: object; readonly response: object };

/** A server whose application can be replaced while it listens. */
export interface AppServer {
  readonly server: Server;
  setApp(app: App): void;
}

/** What `createServer` calls with `new`; its prototype is replaced with the application. */
type Constructor = (new (...parts: never[]) => object) & { prototype: object };

/**
 * An HTTP server for Express applications that makes requests and answers of Express's kind at
 * once. Otherwise Express turns each of Node's into its own by giving it another prototype, which
 * makes V8 forget all it knows about them: that alone was half of the time of a small request.
 */
export function createAppServer(): AppServer {
  let handle: App | undefined;
  function AppRequest(socket: Socket): object {
    return Reflect.construct(IncomingMessage, [socket], new.target ?? IncomingMessage);
  }
  function AppResponse(...parts: readonly unknown[]): object {
    return Reflect.construct(ServerResponse, parts, new.target ?? ServerResponse);
  }
  const [requests, responses] = [AppRequest, AppResponse] as unknown as [Constructor, Constructor];
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
