using System.Net;
using System.Net.Sockets;

namespace KeycloakCreditBridge.Api.Rates;

/// <summary>What counts as one caller before it has proven who it is.</summary>
internal static class CallerNetwork
{
    /// <summary>The address, or its /64: one host of IPv6 has all addresses of it.</summary>
    public static string Of(IPAddress? address) => address switch
    {
        null => "",
        { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } =>
            Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
        { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
        _ => address.ToString(),
    };
}
