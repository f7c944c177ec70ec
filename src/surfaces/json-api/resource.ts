import type { z } from 'zod';
import type { Match } from './etags.js';

/** Who is calling: an operator's user, verified. */
export interface Operator {
  readonly username: string;
  /** The account whose descendants it looks after. */
  readonly accountId: string;
}

/** A resource as clients see it, before fields are chosen. */
export interface Item {
  readonly id: string;
  /** Of what can be changed here: another one with each change. */
  readonly revision?: string;
  /** Those that are not asked for are not read: one may be made when it is. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** By the name of the relationship; all of them are to-one. */
  readonly related: Readonly<Record<string, Item>>;
}

export interface Attribute {
  /** What answers show. */
  readonly schema: z.ZodType;
  readonly isSortable: boolean;
  /** What requests may send; absent: it is read-only. */
  readonly input?: z.ZodType;
}

/** What a filter compares with; a filter takes any of several. */
export type FilterValue = string | number | boolean;

export interface Filter {
  readonly description: string;
  /** For the API document: one value. */
  readonly schema: z.ZodType;
  /** Undefined for a text that is no value of this filter. */
  readonly parse: (text: string) => FilterValue | undefined;
}

export interface SortKey {
  readonly field: string;
  readonly isDescending: boolean;
}

/** Which resources are wanted; all filters must hold. */
export interface ListRequest {
  readonly filters: ReadonlyMap<string, readonly FilterValue[]>;
  /** Empty: by id. */
  readonly sort: readonly SortKey[];
  /** From 1. */
  readonly pageNumber: number;
  readonly pageSize: number;
}

export interface ListAnswer {
  readonly items: readonly Item[];
  /** All that the filters let through. */
  readonly total: number;
}

/** A type of resource and what can be done with it. */
export interface Resource {
  /** Its name in documents and paths. */
  readonly type: string;
  readonly description: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** The types of related resources by the names of the relationships. */
  readonly relationships: Readonly<Record<string, string>>;
  readonly filters: Readonly<Record<string, Filter>>;
  /** An id as it is shown, from any spelling of it; undefined: there can be none such. */
  readonly canonicalId: (text: string) => string | undefined;
  readonly list: (operator: Operator, request: ListRequest) => Promise<ListAnswer>;
  /** Undefined for an id that is unknown, or not the operator's to see. */
  readonly find: (operator: Operator, id: string) => Promise<Item | undefined>;
  /**
   * Changes attributes that have an input; `InvalidError` for values that they cannot have. `match`
   * is asked about the very revision that is replaced. Absent: it cannot be changed here.
   */
  readonly update?: (
    operator: Operator,
    id: string,
    changes: Readonly<Record<string, unknown>>,
    match: Match,
  ) => Promise<Item>;
}

/** Page sizes of telecom.center: 50, at most 100. */
export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 100;

/** The base path of the surface, as telecom.center has it. */
export const BASE_PATH = '/api/rest/public/operator';
