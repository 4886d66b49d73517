using System.Net;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Grants.Review.Signals.Origins;

/// <summary>From where a user registered, as an event of Keycloak says.</summary>
/// <param name="Address">The address of the user's browser; null where it is none that tells users apart.</param>
/// <param name="Missing">Why there is none, one of <see cref="MissingOrigins"/>; null where there is one.</param>
internal sealed record Origin(string KeycloakId, DateTimeOffset RegisteredAt, IPAddress? Address, string? Missing)
{
    private static readonly IPNetwork[] Private = [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/127",
            "fc00::/7", "fe80::/10",
        }.Select(network => IPNetwork.Parse(network)),
    ];

    /// <summary>The origin in a user event; null where it is no registration.</summary>
    public static Origin? From(UserEvent happened)
    {
        if (happened is not { UserId.Length: > 0, Error: null } || !UserEventTypes.Registrations.Contains(happened.Type))
            return null;
        var (address, missing) = Read(happened.IpAddress);
        return new Origin(happened.UserId, DateTimeOffset.FromUnixTimeMilliseconds(happened.Time), address, missing);
    }

    /// <summary>A user that an administrator made.</summary>
    public static Origin ByAdministrator(string keycloakId, DateTimeOffset at) => new(keycloakId, at, null, MissingOrigins.Administrator);

    private static (IPAddress? Address, string? Missing) Read(string? text)
    {
        // A scope, as in fe80::1%eth0, is the machine's own. Digits alone would be an address of their own kind.
        if (text is null || !text.AsSpan().ContainsAny('.', ':') || !IPAddress.TryParse(text, out var address))
            return (null, MissingOrigins.NoAddress);
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        var isShared = Array.Exists(Private, network => network.Contains(address));
        return isShared || address.IsIPv6LinkLocal ? (null, MissingOrigins.Private) : (address, null);
    }
}

/// <summary>Why a user's network says nothing. Stored in `fraud_origins.missing`.</summary>
internal static class MissingOrigins
{
    /// <summary>Keycloak stored no event of the registration.</summary>
    public const string NoEvent = "no_event";

    /// <summary>The event has no address, or the name of a host.</summary>
    public const string NoAddress = "no_address";

    /// <summary>The address is one of a private network, as a proxy's.</summary>
    public const string Private = "private";

    /// <summary>Most users seem to register from one network, as behind a proxy that Keycloak does not know of.</summary>
    public const string Proxy = "proxy";

    /// <summary>An administrator made the user, whose browser says nothing of it.</summary>
    public const string Administrator = "administrator";
}
