declare module '@cloudant/couchbackup' {
  import type { EventEmitter } from 'node:events';

  export interface Options {
    readonly parallelism?: number;
    readonly bufferSize?: number;
    readonly requestTimeout?: number;
    readonly mode?: 'full' | 'shallow';
    readonly attachments?: boolean;
  }
  type Callback = (error: Error | null, data?: { readonly total: number }) => void;

  export function backup(
    url: string,
    target: NodeJS.WritableStream,
    options: Options,
    callback: Callback,
  ): EventEmitter;
  export function restore(
    source: NodeJS.ReadableStream,
    url: string,
    options: Options,
    callback: Callback,
  ): EventEmitter;
}
