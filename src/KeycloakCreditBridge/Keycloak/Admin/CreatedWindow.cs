using System.Globalization;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>A period in which users were created, for servers that can filter by it.</summary>
/// <param name="From">First millisecond since 1970; earlier ones cannot be asked for.</param>
/// <param name="To">Last millisecond; <see cref="Unbounded"/> for no end.</param>
internal readonly record struct CreatedWindow(long From, long To)
{
    /// <summary>No end.</summary>
    public const long Unbounded = long.MaxValue;

    /// <summary>Every user whose creation can be asked for.</summary>
    public static CreatedWindow All => new(0, Unbounded);

    public string Query => To == Unbounded
        ? string.Create(CultureInfo.InvariantCulture, $"createdAfter={From}")
        : string.Create(CultureInfo.InvariantCulture, $"createdAfter={From}&createdBefore={To}");
}
