// Which addresses may be called. The only ipaddr.js door.
// Promise: only public unicast addresses pass, and those an operator has named; every address a name resolves to is
// checked, and the address that is connected to is one that was checked, so a name that changes its mind gains nothing.
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { fault } from '../../lib/errors.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Network = readonly [Address, number]

/** Names to addresses; the system's own unless told. */
export type Resolve = (
  host: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void

const bySystem: Resolve = (host, done) =>
  systemLookup(host, { all: true, verbatim: true }, (error, addresses) =>
    done(error, addresses ?? []),
  )

/** Global unicast: whatever else begins differently is somebody's inside, or no address at all. */
const GLOBAL = ipaddr.parseCIDR('2000::/3')

export class Guard {
  readonly #allowed: readonly Network[]
  readonly #resolve: Resolve

  /** @param allowed addresses and networks, each as `networkOf` reads it */
  constructor(allowed: readonly string[] = [], resolve: Resolve = bySystem) {
    this.#allowed = allowed.map((text) => networkOf(text)!)
    this.#resolve = resolve
  }

  /** @throws TARGET_BLOCKED when this address may not be called */
  check(host: string, address: string): void {
    const range = this.rangeOf(address)
    if (range !== null) throw fault('TARGET_BLOCKED', { host, address, range })
  }

  /** A host that is an address already never gets to the lookup. @throws TARGET_BLOCKED */
  checkLiteral(host: string): void {
    const bare = host.replace(/^\[|\]$/g, '')
    if (isIP(bare.split('%')[0]!) !== 0) this.check(host, bare)
  }

  /** Why an address may not be called; null when it may. */
  rangeOf(text: string): string | null {
    const bare = text.split('%')[0]!
    if (!ipaddr.isValid(bare)) return 'no address'
    const address = ipaddr.parse(bare)
    const plain = unmapped(address)
    if (this.#allowed.some((network) => isIn(address, network) || isIn(plain, network))) return null
    const range = plain.range()
    if (range !== 'unicast') return `${NAMES[range] ?? range} (${range})`
    if (plain.kind() === 'ipv6' && !plain.match(GLOBAL)) return 'not a public address'
    return null
  }

  /** The lookup of a connection: every address of the name is checked, and only these are connected to. */
  readonly lookup = ((host: string, options: LookupOptions, done: any) => {
    this.#resolve(host, (error, found) => {
      if (error) return done(error)
      try {
        if (found.length === 0) throw new Error(`${host} has no address`)
        for (const { address } of found) this.check(host, address)
      } catch (thrown) {
        return done(thrown)
      }
      const { family } = options
      const wanted = found.filter((one) =>
        family === 4 || family === 6 ? one.family === family : true,
      )
      const [first = found[0]!] = wanted
      if (options.all) return done(null, wanted.length > 0 ? wanted : found)
      return done(null, first.address, first.family)
    })
  }) as unknown as LookupFunction
}

/** `10.0.0.0/8`, `127.0.0.1` or `fd00::/8`; null when it is none. */
export function networkOf(text: string): Network | null {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  if (!ipaddr.isValid(text) || isIP(text) === 0) return null
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** An IPv4 address that is written as IPv6, as what it is. */
const unmapped = (address: Address): Address =>
  address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
    ? address.toIPv4Address()
    : address

const isIn = (address: Address, [network, bits]: Network): boolean =>
  address.kind() === network.kind() && (address as any).match(network, bits)

const NAMES: Readonly<Record<string, string>> = {
  loopback: 'this machine itself',
  private: 'a private address',
  uniqueLocal: 'a private address',
  linkLocal: 'a link-local address, where clouds keep their metadata',
  carrierGradeNat: 'an address inside a provider',
  multicast: 'a multicast address',
  broadcast: 'a broadcast address',
  unspecified: 'no address of a machine',
  reserved: 'a reserved address',
  rfc6052: 'a translated address',
  rfc6145: 'a translated address',
}
