using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Grants.Codes.Campaigns;

/// <summary>What a set of codes pays. It never changes.</summary>
/// <param name="Realm">Its users may redeem.</param>
/// <param name="Name">Unique in the realm.</param>
/// <param name="Credits">What each redemption pays.</param>
/// <param name="ExpiresAfter">How long after the redemption unspent credits end; null for never.</param>
/// <param name="StartsAt">Nothing is redeemed before; null for now.</param>
/// <param name="EndsAt">Nothing is redeemed from then on; null for no end.</param>
/// <param name="Requires">Names of <see cref="Policy.Settings.Requirements"/>.</param>
/// <param name="Count">How many codes.</param>
/// <param name="Places">How often each can be redeemed, by as many users.</param>
/// <param name="Word">The only code, chosen by the operator; null where codes are made at random.</param>
/// <param name="By">The operator or caller that makes it.</param>
internal sealed record NewCampaign(
    string Realm, string Name, decimal Credits, TimeSpan? ExpiresAfter, DateTimeOffset? StartsAt, DateTimeOffset? EndsAt,
    IReadOnlyList<string> Requires, int Count, long Places, string? Word, string By)
{
    /// <summary>What is paid once: an account, or a verified address or its inbox.</summary>
    public OncePer Once { get; init; } = OncePer.User;

    /// <summary>What a campaign requires.</summary>
    public static IReadOnlyList<string> RequiredBy(OncePer once, bool verifiedEmail) =>
        verifiedEmail || once != OncePer.User ? [Policy.Settings.Requirements.EmailVerified] : [];
}

internal enum CreateOutcome
{
    Done,
    NameTaken,

    /// <summary>Another campaign of the realm has this code.</summary>
    WordTaken,
}

/// <param name="Codes">As users get them, in the order of their numbers: the only time that they are known.</param>
internal sealed record CreateResult(CreateOutcome Outcome, IReadOnlyList<string> Codes);

/// <summary>A campaign as it stands.</summary>
/// <param name="Requires">Names, by comma; empty for none.</param>
/// <param name="Places">Of all its codes.</param>
/// <param name="Taken">Places that are taken now.</param>
/// <param name="Disabled">Codes that cannot be redeemed any more.</param>
/// <param name="Paid">Redemptions that were paid and not voided.</param>
/// <param name="Held">Redemptions that wait for what is required.</param>
/// <param name="Once">What is paid once: `user`, `email` or `inbox`.</param>
internal sealed record Campaign(
    string Realm, string Name, decimal Credits, TimeSpan? ExpiresAfter, DateTimeOffset StartsAt, DateTimeOffset? EndsAt, string Requires,
    string CreatedBy, DateTimeOffset CreatedAt, long Codes, long Places, long Taken, long Disabled, long Paid, long Held,
    string Once);

/// <summary>A code as it stands; its text is not known.</summary>
/// <param name="Number">Its place in the list that was shown when it was made.</param>
/// <param name="GrantKey">Of the grants that it gives.</param>
internal sealed record CampaignCode(int Number, string GrantKey, long Places, long Taken, DateTimeOffset? DisabledAt);
