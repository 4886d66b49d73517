using System.ComponentModel.DataAnnotations;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Policy.Facts;
using static KeycloakCreditBridge.Api.Requests.Amount;

namespace KeycloakCreditBridge.Credits;

/// <summary>The grants of an account, the latest first.</summary>
/// <param name="Debt">What was used beyond all grants; the next grant pays it first.</param>
/// <param name="Expiring">What ends within seven days unless it is spent before, the soonest end first.</param>
/// <param name="Offers">What the account can still earn, or came too late for.</param>
internal sealed record GrantsShape(
    string UserId, string Balance, string Debt, ExpiringShape[] Expiring, GrantShape[] Grants, OfferShape[] Offers)
{
    public static GrantsShape Of(AccountGrants account, IEnumerable<GrantOffer> offers) => new(
        account.AccountId, Text(account.Balance), Text(account.Debt), ExpiringShape.Of(account),
        [.. account.Grants.OrderByDescending(grant => grant.GrantedAt).Select(GrantShape.Of)],
        [.. offers.Select(OfferShape.Of)]);
}

/// <param name="GrantKey">The key that the grant will have.</param>
/// <param name="State">
/// `open`; `lapsed` where it came too late; `in_review` where a person decides; `refused` where one decided against it.
/// </param>
/// <param name="Missing">
/// What is required and not met. With nothing missing an open grant follows, at `settles_at` or within moments.
/// </param>
/// <param name="Until">When it lapses; null for never.</param>
/// <param name="SettlesAt">Until then what was done must stand; null where it need not.</param>
internal sealed record OfferShape(
    string GrantKey, string Amount, string State, string[] Missing, DateTimeOffset? Until, DateTimeOffset? SettlesAt, string Policy)
{
    public static OfferShape Of(GrantOffer offer) => new(
        offer.Key, Text(offer.Credits), offer.State, [.. offer.Missing], offer.Until, offer.SettlesAt, offer.Policy);
}

/// <param name="GrantKey">Names it within the account.</param>
/// <param name="Remainder">What can still be spent of it.</param>
/// <param name="Category">`paid` or `promotional`.</param>
/// <param name="Priority">0 to 100; grants of a lower one are spent first.</param>
/// <param name="ExpiresAt">It can be spent before this instant; null for ever.</param>
/// <param name="Closed">Whether it has ended, or was voided or forfeited.</param>
/// <param name="CloseReason">`expired`, `void`, `period_ended` or `account_closed`.</param>
/// <param name="Reason">Why it was given.</param>
internal sealed record GrantShape(
    string GrantKey, string Amount, string Remainder, string Category, int Priority, DateTimeOffset GrantedAt, DateTimeOffset? ExpiresAt,
    bool Closed, DateTimeOffset? ClosedAt, string? CloseReason, string? Reason, string? Policy)
{
    public static GrantShape Of(GivenGrant grant) => new(
        grant.Key, Text(grant.Amount), Text(grant.Remainder), grant.Category, grant.Priority,
        grant.GrantedAt, grant.ExpiresAt, grant.IsClosed, grant.ClosedAt, grant.CloseReason, grant.Reason, grant.Policy);
}

internal sealed record ExpiringShape(string GrantKey, string Amount, DateTimeOffset ExpiresAt)
{
    /// <summary>How long before its end a grant is told of.</summary>
    public static readonly TimeSpan Ahead = TimeSpan.FromDays(7);

    public static ExpiringShape[] Of(AccountGrants account) =>
    [
        .. account.Grants
            .Where(grant => grant.Remainder > 0m && grant.ExpiresAt <= account.Now + Ahead)
            .OrderBy(grant => grant.ExpiresAt).ThenBy(grant => grant.Key, StringComparer.Ordinal)
            .Select(grant => new ExpiringShape(grant.Key, Text(grant.Remainder), grant.ExpiresAt!.Value)),
    ];
}

internal sealed record VoidShape(
    [property: Length(1, 255)] string UserId, [property: Length(1, 500)] string Reason,
    [property: RegularExpression("^(stop|others|all)$")] string? Beyond = null);

/// <param name="Taken">What it took from the balance.</param>
internal sealed record VoidedShape(string UserId, string GrantKey, string Taken, string Balance);

/// <param name="ExpiresAt">The new end; null for none. It stays where it is left out.</param>
internal sealed record ExtendShape(
    [property: Length(1, 255)] string UserId, DateTimeOffset? ExpiresAt = null, [property: Range(0, 100)] int? Priority = null);
