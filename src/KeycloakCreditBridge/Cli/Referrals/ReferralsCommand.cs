using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Referrals;
using KeycloakCreditBridge.Grants.Referrals.Listing;
using KeycloakCreditBridge.Grants.Referrals.Payments;

namespace KeycloakCreditBridge.Cli.Referrals;

/// <summary>Shows referrals and takes back what one paid.</summary>
internal static class ReferralsCommand
{
    private const string Author = "command";

    private static readonly string[] ColumnHeads = ["SINCE", "STATE", "WHY", "REFERRER", "PAID", "REFEREE", "PAID", "NEXT", "ID"];

    public static Task<int> ListAsync(
        CommandHost host, string[] settings, string? realm, string? state, string? account, int limit, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var found = await services.GetRequiredService<ReferralListStore>().ListAsync(
                ConfiguredRealms.Of(services, realm), state, account, limit, cancellationToken);
            if (found.Count == 0 && !json)
                await Console.Out.WriteLineAsync("There are no such referrals.");
            else
                foreach (var line in json ? found.Select(Json) : Printable.List([ColumnHeads, .. found.Select(Row)]))
                    await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> ShowAsync(CommandHost host, string[] settings, string? realm, Guid id, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            if (await FindAsync(services, realm, id, cancellationToken) is not { } referral)
                return ExitCode.SomeFailed;
            foreach (var line in json ? [Json(referral)] : Printable.List([ColumnHeads, Row(referral)]))
                await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> ReverseAsync(
        CommandHost host, string[] settings, string? realm, Guid id, ReferralSide who, string reason, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            if (await FindAsync(services, realm, id, cancellationToken) is not { } referral)
                return ExitCode.SomeFailed;
            var reversed = await services.GetRequiredService<ReferralReversal>().ReverseAsync(
                new ReversalOrder(id, who, reason, Author), services.GetRequiredService<Hot<ReferralRules>>().Current.Of(referral.Realm),
                cancellationToken);
            if (reversed.Outcome != ReversalOutcome.Done)
            {
                await Console.Error.WriteLineAsync(
                    $"Referral {id} is {ReferralMoves.Name(reversed.State)}: it paid nothing, and there is nothing to take back.");
                return ExitCode.SomeFailed;
            }

            var state = ReferralMoves.Name(reversed.State);
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new ShownReversal(id, state, reversed.FromReferrer, reversed.FromReferee), ReferralsJson.Default.ShownReversal)
                : $"Referral {id} is {state}: took {Number(reversed.FromReferrer)} from {Printable.Of(referral.Referrer)} and "
                    + $"{Number(reversed.FromReferee)} from {Printable.Of(referral.Referee)}.");
            return ExitCode.Done;
        });

    private static async Task<ListedReferral?> FindAsync(
        IServiceProvider services, string? realm, Guid id, CancellationToken cancellationToken)
    {
        var found = await services.GetRequiredService<ReferralListStore>().FindAsync(
            id, ConfiguredRealms.Of(services, realm), cancellationToken);
        if (found is null)
            await Console.Error.WriteLineAsync($"There is no referral {id}: `referrals list` shows those that there are.");
        return found;
    }

    private static string[] Row(ListedReferral referral) =>
    [
        Printable.Of(referral.TouchedAt), referral.State, Printable.Of(referral.Reason), Printable.Of(referral.Referrer),
        PaidOf(referral.ReferrerGrant, referral.ReferrerCredits), Printable.Of(referral.Referee),
        PaidOf(referral.RefereeGrant, referral.RefereeCredits), referral.DueAt is { } due ? Printable.Of(due) : "never", $"{referral.Id}",
    ];

    private static string PaidOf(string? grant, decimal? credits) => grant is null ? "-" : Number(credits ?? 0m);

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);

    private static string Json(ListedReferral referral) => JsonSerializer.Serialize(referral, ReferralsJson.Default.ListedReferral);
}

/// <summary>The line of `referrals reverse --json`.</summary>
/// <param name="State">`reversed`, or `canceled` where it had paid nothing.</param>
internal sealed record ShownReversal(Guid Id, string State, decimal FromReferrer, decimal FromReferee);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ListedReferral))]
[JsonSerializable(typeof(ShownReversal))]
internal sealed partial class ReferralsJson : JsonSerializerContext;
