using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using static KeycloakCreditBridge.Api.Requests.Amount;

namespace KeycloakCreditBridge.Credits.Referrals;

/// <summary>The caller's own referrals.</summary>
/// <param name="Code">What others give.</param>
/// <param name="Referrals">How many users gave it, by state.</param>
/// <param name="Credits">What the caller was paid for them.</param>
internal sealed record ReferralsShape(string UserId, string Code, Dictionary<string, long> Referrals, string Credits);

internal sealed record ReferralCodeShape([property: Length(1, 64)] string Code);

/// <param name="Taken">Always true: whether the code counts is not told.</param>
internal sealed record ReferralTakenShape(bool Taken);

/// <summary>A referral as administrators see it.</summary>
/// <param name="Referrer">An account id, as `referee` is.</param>
/// <param name="Reason">Why it is in this state; null where that needs none.</param>
/// <param name="SettlesAt">Until then what qualified must stand.</param>
/// <param name="ReferrerGrant">The key of what the referrer was paid; null where nothing was.</param>
internal sealed record ReferralShape(
    Guid Id, string State, string? Reason, string Referrer, string Referee, DateTimeOffset TouchedAt, DateTimeOffset? SettlesAt,
    DateTimeOffset? EndedAt, string? ReferrerCredits, string? RefereeCredits, string? ReferrerGrant, string? RefereeGrant)
{
    public static ReferralShape Of(ListedReferral referral) => new(
        referral.Id, referral.State, referral.Reason, referral.Referrer, referral.Referee, referral.TouchedAt, referral.SettlesAt,
        referral.EndedAt, referral.ReferrerCredits is { } toReferrer ? Text(toReferrer) : null,
        referral.RefereeCredits is { } toReferee ? Text(toReferee) : null, referral.ReferrerGrant, referral.RefereeGrant);
}

internal sealed record ReverseShape(
    [property: Length(1, 500)] string Reason,
    [property: JsonPropertyName("who"), RegularExpression("^(both|referrer|referee)$")] string? Side = null);

/// <param name="State">`reversed`, or `canceled` where it had paid nothing yet.</param>
/// <param name="FromReferrer">Credits taken from the referrer.</param>
/// <param name="FromReferee">Credits taken from the referee.</param>
internal sealed record ReversedShape(Guid Id, string State, string FromReferrer, string FromReferee)
{
    public static ReversedShape Of(Guid id, ReversedReferral reversed) => new(
        id, ReferralMoves.Name(reversed.State), Text(reversed.FromReferrer), Text(reversed.FromReferee));
}
