namespace KeycloakCreditBridge.Grants.Review;

/// <summary>The signals, by the names that settings, holds and metrics use.</summary>
internal static class SignalNames
{
    /// <summary>The domain of the address gives every visitor one for minutes.</summary>
    public const string DisposableDomain = "disposable_domain";

    /// <summary>The domain forwards mail to an address that it hides.</summary>
    public const string RelayDomain = "relay_domain";

    /// <summary>Another account of the realm has the same inbox.</summary>
    public const string SameInbox = "same_inbox";

    /// <summary>At least three users registered from one network within an hour.</summary>
    public const string NetworkHour = "network_hour";

    /// <summary>At least ten users registered from one network within a day.</summary>
    public const string NetworkDay = "network_day";

    /// <summary>At least twenty users of a rare domain registered within ten minutes.</summary>
    public const string DomainBurst = "domain_burst";

    /// <summary>At least five users of one domain registered within an hour whose names differ by a sign or two.</summary>
    public const string SequentialNames = "sequential_names";

    /// <summary>An operator denied the address.</summary>
    public const string Denied = "denied";

    /// <summary>Users of one network within an hour from which <see cref="NetworkHour"/> speaks.</summary>
    public const int UsersInHour = 3;

    /// <summary>Users of one network within a day from which <see cref="NetworkDay"/> speaks.</summary>
    public const int UsersInDay = 10;

    /// <summary>What each counts where the settings do not say.</summary>
    public static readonly IReadOnlyDictionary<string, int> Scores = new Dictionary<string, int>(StringComparer.Ordinal)
    {
        [DisposableDomain] = 50,
        [RelayDomain] = 0,
        [SameInbox] = 40,
        [NetworkHour] = 25,
        [NetworkDay] = 25,
        [DomainBurst] = 25,
        [SequentialNames] = 25,
        [Denied] = 100,
    };

    /// <summary>All names, in one order.</summary>
    public static readonly IReadOnlyList<string> All = [.. Scores.Keys];
}
