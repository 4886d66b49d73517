using System.Net;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Management;

/// <summary>
/// Which requests are told what names realms, hosts and roles: those to `Management:Url` or, without it, those of this machine.
/// </summary>
internal sealed class DetailAccess(IOptions<ManagementOptions> options)
{
    private static readonly string[] Prefixes = ["X-Forwarded-", "X-Original-", "X-Envoy-"];
    private static readonly string[] Names = ["Forwarded", "Via", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"];

    private readonly int? _port = options.Value.Address?.Port;

    public bool IsGranted(HttpContext context) => _port is null ? IsFromThisMachine(context) : IsToManagement(context);

    /// <summary>Whether the request came to the address of operators.</summary>
    public bool IsToManagement(HttpContext context) => context.Connection.LocalPort == _port;

    // A proxy beside the bridge makes all requests local. Most tell so by a header, or by the name that was asked for. The framework
    // adds a header where it takes the address from one.
    private static bool IsFromThisMachine(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } peer
        && IPAddress.IsLoopback(peer)
        && IsLocalName(context.Request.Host.Host)
        && !context.Request.Headers.Keys.Any(IsOfProxy);

    private static bool IsLocalName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    private static bool IsOfProxy(string header) =>
        Names.Contains(header, StringComparer.OrdinalIgnoreCase)
        || Array.Exists(Prefixes, prefix => header.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}
