const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEX_ID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

/**
 * The id of 32 lower-case hexadecimal digits that a UUID spells, in upper or lower case (RFC 9562);
 * undefined for a text that is no UUID. Version and variant are not looked at, as Kazoo's ids have
 * none.
 */
export function parseUuid(text: string): string | undefined {
  return UUID.test(text) ? text.replaceAll('-', '').toLowerCase() : undefined;
}

/** An id of 32 lower-case hexadecimal digits as UUID; anything else is given back as it is. */
export function formatUuid(id: string): string {
  return id.replace(HEX_ID, '$1-$2-$3-$4-$5');
}
