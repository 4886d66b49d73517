using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Decides what a Keycloak user is to the credit system. Pure: the same user, settings and time give the same judgement.</summary>
internal sealed class GrantPolicy(IOptions<ProvisioningOptions> options)
{
    /// <summary>Judges a user that Keycloak has.</summary>
    /// <param name="subject">The user, as Keycloak tells it.</param>
    /// <param name="readAt">When Keycloak was asked.</param>
    /// <param name="source">Who led to the user.</param>
    /// <param name="hintVersion">The claimed hint that led to the user, if one did.</param>
    public Judgement Judge(Subject subject, DateTimeOffset readAt, string source, long? hintVersion = null)
    {
        if (subject.IsServiceAccount)
        {
            return new(subject.Realm, subject.KeycloakId, Disposition.ServiceAccount, null, subject.CreatedAt, null, readAt, source, hintVersion);
        }

        var disposition = subject.Enabled ? Disposition.Account : Disposition.Held;
        return new(subject.Realm, subject.KeycloakId, disposition, subject.KeycloakId, subject.CreatedAt, Opening(readAt), readAt, source, hintVersion);
    }

    /// <summary>Judges a user that Keycloak does not have any more.</summary>
    public static Judgement JudgeGone(string realm, string keycloakId, DateTimeOffset readAt, string source, long? hintVersion = null) =>
        new(realm, keycloakId, Disposition.Deleted, null, null, null, readAt, source, hintVersion);

    private OpeningGrant Opening(DateTimeOffset now)
    {
        var tier = options.Value.Tiers[options.Value.Tier];
        return tier.Unlimited
            ? new OpeningGrant(options.Value.Tier, tier.Credits, null, true, now + options.Value.Period)
            : new OpeningGrant(options.Value.Tier, tier.Credits, tier.MonthlyCap ?? tier.Credits, false, now + options.Value.Period);
    }
}

/// <summary>What the policy looks at.</summary>
internal sealed record Subject(string Realm, string KeycloakId, bool Enabled, bool IsServiceAccount, DateTimeOffset? CreatedAt)
{
    /// <param name="realm">Name of the user's realm.</param>
    /// <param name="user">The user as read.</param>
    /// <param name="isPerson">Nothing in the user itself says so: see <see cref="KeycloakClient.IsPersonAsync"/>.</param>
    public static Subject From(string realm, KeycloakUser user, bool isPerson) => new(
        realm,
        user.Id,
        user.Enabled,
        !isPerson,
        Instant(user.CreatedTimestamp));

    // An import may say anything here; what is no instant of the calendar is as good as nothing.
    private static DateTimeOffset? Instant(long? milliseconds) =>
        milliseconds is { } value and > -62_135_596_800_000 and < 253_402_300_800_000 ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;
}
