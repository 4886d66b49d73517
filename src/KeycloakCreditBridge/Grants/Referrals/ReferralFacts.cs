using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Grants.Referrals;

/// <summary>What the database says of a referral and its two accounts.</summary>
/// <param name="Referrer">An account id, as <paramref name="Referee"/> is.</param>
/// <param name="ReferrerUser">Keycloak's id; null where the account has no user.</param>
/// <param name="SettlesAt">Null before it qualified.</param>
/// <param name="IsChecked">Whether Keycloak was asked about both users since the code was given.</param>
/// <param name="IsPaid">Whether the referee was paid.</param>
/// <param name="Spent">What gateways and services charged the referee in time, less all that was refunded.</param>
/// <param name="IsTaskDone">Whether the task was paid, and not taken back.</param>
/// <param name="HasBought">Whether credits were bought, and not taken back.</param>
/// <param name="HasReceived">Whether the referee's account was paid for a referral before.</param>
/// <param name="Referees">How many referees the referrer was paid for.</param>
/// <param name="DeletedReferees">How many of these were deleted in Keycloak.</param>
/// <param name="Review">The state of the latest hold of what the referee is paid; null where there was none.</param>
internal sealed record ReferralFacts(
    Guid Id, string Realm, string State, string Referrer, string Referee, string? ReferrerUser, string? RefereeUser, string ReferrerStatus,
    string RefereeStatus, DateTimeOffset TouchedAt, DateTimeOffset? SettlesAt, bool IsChecked, bool IsPaid, decimal? ReferrerCredits,
    decimal? RefereeCredits, decimal Spent, bool IsTaskDone, bool HasBought, bool HasReceived, long Referees, long DeletedReferees,
    string? Review = null)
{
    /// <summary>Whether a person has to decide first.</summary>
    public bool IsInReview => Review == "held";

    /// <summary>Whether a review refused what the referee would be paid.</summary>
    public bool IsRefused => Review is "rejected" or "lapsed";
}

/// <summary>What Keycloak says of one of the two users.</summary>
/// <param name="IsVerified">Whether there is an address, and Keycloak says that it is verified.</param>
/// <param name="Inbox">The inbox that the address leads to; null without one.</param>
internal sealed record ReferralUser(bool IsVerified, string? Inbox)
{
    /// <summary>What a referee is paid for once in all: inbox and identities at providers; empty without a key for claims.</summary>
    public IReadOnlyList<Claim> Claims { get; init; } = [];
}

/// <summary>What Keycloak says of both; null for one that it does not have.</summary>
internal sealed record ReferralUsers(ReferralUser? Referrer, ReferralUser? Referee)
{
    /// <summary>The hold of what the referee is paid, where the review holds it back; its credits are still open.</summary>
    public NewHold? Hold { get; init; }

    public bool HaveSameInbox => Referrer?.Inbox is { } inbox && string.Equals(inbox, Referee?.Inbox, StringComparison.Ordinal);
}
