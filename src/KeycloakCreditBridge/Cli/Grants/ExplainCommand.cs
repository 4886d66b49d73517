using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Provisioning.Awards;

namespace KeycloakCreditBridge.Cli.Grants;

/// <summary>Explains what policies gave an account and why, and what it can still earn.</summary>
internal static class ExplainCommand
{
    private const string Given = "given";

    public static Task<int> RunAsync(CommandHost host, string[] settings, NamedUser user, bool json) =>
        GrantsCommand.RunAsync(host, settings, user, async (services, account, cancellationToken) =>
        {
            var given = (await services.GetRequiredService<GrantBook>().ListAsync(account, cancellationToken))!;
            ExplainedGrant[] grants = [
                .. given.Grants.Select(grant => Of(account, grant)),
                .. (await services.GetRequiredService<OfferReader>().ReadAsync(account, cancellationToken))
                    .Select(offer => Of(account, offer)),
            ];
            foreach (var grant in grants)
                await Console.Out.WriteLineAsync(
                    json ? JsonSerializer.Serialize(grant, ExplainJson.Default.ExplainedGrant) : Line(grant));
            if (!json && !grants.Any(grant => grant.State != Given))
                await Console.Out.WriteLineAsync($"Account {Printable.Of(account)} can earn nothing more: no policy owes it a grant.");
            return ExitCode.Done;
        });

    private static ExplainedGrant Of(string account, GivenGrant grant) => new(
        account, grant.Key, grant.Amount, Given, [], grant.ExpiresAt, null, grant.Policy, grant.PolicyVersion, grant.GrantedAt,
        grant.Remainder, grant.Reason, Element(grant.Evidence));

    private static ExplainedGrant Of(string account, GrantOffer offer) => new(
        account, offer.Key, offer.Credits, offer.State, offer.Missing, offer.Until, offer.SettlesAt, offer.Policy, offer.Version, null,
        null, null, null);

    private static JsonElement? Element(string? json) => json is null ? null : JsonElement.Parse(json);

    private static string Line(ExplainedGrant grant)
    {
        var text = $"{Printable.Of(grant.Key)}: {Number(grant.Amount)} credits";
        if (grant.State == Given)
        {
            text += $" given {Printable.Of(grant.GrantedAt!.Value)}, {Number(grant.Remainder!.Value)} left, "
                + (grant.Policy is null ? Printable.Of(grant.Reason) : $"by policy {Printable.Of(grant.Policy)} {grant.Version}");
            return grant.Until is { } end ? $"{text}; ends {Printable.Of(end)}" : text;
        }

        text += grant.State == OfferStates.Lapsed ? ", came too late" : "";
        if (grant.Missing.Count > 0)
            text += $", missing {string.Join(", ", grant.Missing)}";
        else if (grant.SettlesAt is { } settles)
            text += $", what was done must stand until {Printable.Of(settles)}";
        else if (grant.State == OfferStates.Open)
            text += ", due: the running service pays it within moments";
        return grant.Until is { } until
            ? $"{text}; {(grant.State == OfferStates.Lapsed ? "lapsed" : "lapses")} {Printable.Of(until)}" : text;
    }

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);
}

/// <summary>A line of `grants explain --json`.</summary>
/// <param name="State">`given`, `open` or `lapsed`.</param>
/// <param name="Missing">What is required and not met.</param>
/// <param name="Until">When a given grant ends, or another one lapses.</param>
/// <param name="SettlesAt">Until then what was done must stand.</param>
internal sealed record ExplainedGrant(
    string Account, string Key, decimal Amount, string State, IReadOnlyList<string> Missing, DateTimeOffset? Until,
    DateTimeOffset? SettlesAt, string? Policy, string? Version, DateTimeOffset? GrantedAt, decimal? Remainder, string? Reason,
    JsonElement? Evidence);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ExplainedGrant))]
internal sealed partial class ExplainJson : JsonSerializerContext;
