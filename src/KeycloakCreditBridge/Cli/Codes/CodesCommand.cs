using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Cli.Grants;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Cli.Codes;

/// <summary>Makes, counts, disables and voids the codes of campaigns.</summary>
internal static class CodesCommand
{
    private static readonly string[] CampaignHeads =
        ["REALM", "CAMPAIGN", "CREDITS", "CODES", "PLACES", "TAKEN", "PAID", "HELD", "DISABLED", "ENDS"];

    private static readonly string[] CodeHeads = ["NUMBER", "TAKEN", "OF", "STATE", "KEY"];

    public static Task<int> CreateAsync(CommandHost host, string[] settings, NamedCampaign campaign, CampaignWish wish, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var wanted = wish.Of(OneRealm(services, campaign.Realm), campaign.Name, GrantsCommand.Author);
            var problems = CampaignRules.Problems(wanted, services.GetRequiredService<TimeProvider>().GetUtcNow());
            if (wanted.Once != OncePer.User && !services.GetRequiredService<Hot<GrantPolicy>>().Current.RulesOf(wanted.Realm).CanClaim)
                throw new ConfigurationException(["--once needs a secret in Provisioning:SignupGrant:EmailKey to remember addresses."]);
            if (problems.Count > 0)
                throw new ConfigurationException([.. problems.Select(problem => $"{OptionOf(problem.Key)} {problem.Value}.")]);
            var result = await services.GetRequiredService<CampaignMaker>().CreateAsync(wanted, cancellationToken);
            if (result.Outcome != CreateOutcome.Done)
            {
                await Console.Error.WriteLineAsync(result.Outcome == CreateOutcome.NameTaken
                    ? $"There is a campaign {wanted.Name} in realm {Printable.Of(wanted.Realm)} already: choose another name."
                    : $"Another campaign of realm {Printable.Of(wanted.Realm)} has this code: choose another one.");
                return ExitCode.SomeFailed;
            }

            if (!json)
                await Console.Out.WriteLineAsync("number,code");
            for (var number = 1; number <= result.Codes.Count; number++)
            {
                var code = result.Codes[number - 1];
                await Console.Out.WriteLineAsync(json
                    ? JsonSerializer.Serialize(new CreatedCode(wanted.Name, wanted.Realm, number, code), CodesJson.Default.CreatedCode)
                    : string.Create(CultureInfo.InvariantCulture, $"{number},{code}"));
            }

            return ExitCode.Done;
        });

    public static Task<int> ListAsync(CommandHost host, string[] settings, string? realm, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var campaigns = await services.GetRequiredService<CampaignStore>().ListAsync(
                ConfiguredRealms.Of(services, realm), null, cancellationToken);
            if (campaigns.Count == 0 && !json)
                await Console.Out.WriteLineAsync("There are no campaigns: `codes create` makes one.");
            else
                foreach (var line in json ? campaigns.Select(Json) : Table(campaigns))
                    await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> ShowAsync(CommandHost host, string[] settings, NamedCampaign named, bool json) =>
        RunAsync(host, settings, named, async (services, campaign, cancellationToken) =>
        {
            var codes = await services.GetRequiredService<CampaignStore>().CodesAsync(campaign.Realm, campaign.Name, cancellationToken);
            foreach (var line in json
                ? codes.Select(code => JsonSerializer.Serialize(
                    new ShownCode(
                        campaign.Name, campaign.Realm, code.Number, code.Taken, code.Places, code.DisabledAt, code.GrantKey),
                    CodesJson.Default.ShownCode))
                : Table(codes))
            {
                await Console.Out.WriteLineAsync(line);
            }

            return ExitCode.Done;
        });

    public static Task<int> DisableAsync(CommandHost host, string[] settings, NamedCampaign named, int? number, bool json) =>
        RunAsync(host, settings, named, async (services, campaign, cancellationToken) =>
        {
            var disabled = await services.GetRequiredService<CampaignStore>().DisableAsync(
                campaign.Realm, campaign.Name, number, GrantsCommand.Author, services.GetRequiredService<TimeProvider>().GetUtcNow(),
                cancellationToken);
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(new DisabledCodes(campaign.Name, campaign.Realm, disabled), CodesJson.Default.DisabledCodes)
                : string.Create(CultureInfo.InvariantCulture, $"Disabled {disabled} codes of campaign {campaign.Name}. ")
                    + "What was redeemed stays.");
            return ExitCode.Done;
        });

    public static Task<int> VoidAsync(CommandHost host, string[] settings, NamedCampaign named, CampaignVoidWish wish, bool json) =>
        RunAsync(host, settings, named, async (services, campaign, cancellationToken) =>
        {
            var result = await services.GetRequiredService<CampaignVoider>().VoidAsync(
                new CampaignVoid(
                    campaign.Realm, campaign.Name, (VoidReach)wish.Reach, wish.Reason, wish.Release, wish.Confirmed, GrantsCommand.Author),
                cancellationToken);
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new CampaignVoidResult(
                        campaign.Name, campaign.Realm, result.Redemptions, result.Credits, result.Voided, result.Taken, result.Rejected),
                    CodesJson.Default.CampaignVoidResult)
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"Campaign {campaign.Name} has {result.Redemptions} open redemptions, which gave {Number(result.Credits)} credits. ")
                    + (wish.Confirmed == result.Redemptions
                        ? string.Create(
                            CultureInfo.InvariantCulture,
                            $"Voided {result.Voided} of them: took {Number(result.Taken)}. Rejected {result.Rejected} that were held.")
                        : string.Create(CultureInfo.InvariantCulture, $"Add --confirm {result.Redemptions} to void them.")));
            if (wish.Confirmed is not { } confirmed || confirmed == result.Redemptions)
                return ExitCode.Done;
            await Console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"Nothing was done: --confirm says {confirmed}, and these are {result.Redemptions} redemptions."));
            return ExitCode.SomeFailed;
        });

    private static Task<int> RunAsync(
        CommandHost host, string[] settings, NamedCampaign named,
        Func<IServiceProvider, Campaign, CancellationToken, Task<int>> work) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var realm = OneRealm(services, named.Realm);
            if (await services.GetRequiredService<CampaignStore>().ListAsync([realm], named.Name, cancellationToken) is [var campaign])
                return await work(services, campaign, cancellationToken);
            await Console.Error.WriteLineAsync(
                $"There is no campaign {Printable.Of(named.Name)} in realm {Printable.Of(realm)}: `codes list` shows those that are.");
            return ExitCode.SomeFailed;
        });

    private static string OneRealm(IServiceProvider services, string? realm) =>
        ConfiguredRealms.Of(services, realm) is [var one] ? one : throw new ConfigurationException(
            [$"--realm is missing: Keycloak:Realms has {string.Join(", ", ConfiguredRealms.Of(services, null))}."]);

    // The fields of a campaign are named as in a request.
    private static string OptionOf(string field) => field switch
    {
        "name" => "NAME",
        "starts_at" => "--starts",
        "ends_at" => "--ends",
        _ => $"--{field.Replace('_', '-')}",
    };

    private static IEnumerable<string> Table(IEnumerable<Campaign> campaigns) =>
        Printable.List([CampaignHeads, .. campaigns.Select(campaign => (string[])
        [
            Printable.Of(campaign.Realm), campaign.Name, Number(campaign.Credits), Count(campaign.Codes), Count(campaign.Places),
            Count(campaign.Taken), Count(campaign.Paid), Count(campaign.Held), Count(campaign.Disabled),
            campaign.EndsAt is { } end ? Printable.Of(end) : "never",
        ])]);

    private static IEnumerable<string> Table(IEnumerable<CampaignCode> codes) =>
        Printable.List([CodeHeads, .. codes.Select(code => (string[])
        [
            Count(code.Number), Count(code.Taken), Count(code.Places), code.DisabledAt is null ? "open" : "disabled", code.GrantKey,
        ])]);

    private static string Json(Campaign campaign) => JsonSerializer.Serialize(
        new ShownCampaign(
            campaign.Name, campaign.Realm, campaign.Credits, campaign.StartsAt, campaign.EndsAt, campaign.Codes, campaign.Places,
            campaign.Taken, campaign.Disabled, campaign.Paid, campaign.Held),
        CodesJson.Default.ShownCampaign);

    private static string Count(long count) => count.ToString(CultureInfo.InvariantCulture);

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);
}

/// <summary>What `codes create` makes.</summary>
/// <param name="MaxRedemptions">Null for 1, and for none where a word is given: it is an error then.</param>
internal sealed record CampaignWish(
    decimal Credits, TimeSpan? ExpiresAfter, DateTimeOffset? Starts, DateTimeOffset? Ends, int Count, long? MaxRedemptions, string? Word,
    bool VerifiedEmail, OncePer Once)
{
    public NewCampaign Of(string realm, string name, string by) => new(
        realm, name, Credits, ExpiresAfter, Starts, Ends, NewCampaign.RequiredBy(Once, VerifiedEmail), Count,
        MaxRedemptions ?? (Word is null ? 1 : 0), Word, by)
    {
        Once = Once,
    };
}

/// <summary>What `codes void` takes back.</summary>
/// <param name="Reach">A value of <see cref="VoidReach"/>.</param>
/// <param name="Confirmed">How many redemptions these are; null where they are counted only.</param>
internal sealed record CampaignVoidWish(int Reach, string Reason, bool Release, long? Confirmed);

/// <summary>A line of `codes create --json`.</summary>
internal sealed record CreatedCode(string Campaign, string Realm, int Number, string Code);

/// <summary>A line of `codes list --json`.</summary>
internal sealed record ShownCampaign(
    string Campaign, string Realm, decimal Credits, DateTimeOffset StartsAt, DateTimeOffset? EndsAt, long Codes, long Places, long Taken,
    long Disabled, long Paid, long Held);

/// <summary>A line of `codes show --json`.</summary>
internal sealed record ShownCode(
    string Campaign, string Realm, int Number, long Taken, long Places, DateTimeOffset? DisabledAt, string GrantKey);

/// <summary>The line of `codes disable --json`.</summary>
internal sealed record DisabledCodes(string Campaign, string Realm, long Disabled);

/// <summary>The line of `codes void --json`.</summary>
/// <param name="Credits">What these redemptions came to when they were given.</param>
/// <param name="Taken">What was taken from the balances.</param>
internal sealed record CampaignVoidResult(
    string Campaign, string Realm, long Redemptions, decimal Credits, long Voided, decimal Taken, long Rejected);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(CreatedCode))]
[JsonSerializable(typeof(ShownCampaign))]
[JsonSerializable(typeof(ShownCode))]
[JsonSerializable(typeof(DisabledCodes))]
[JsonSerializable(typeof(CampaignVoidResult))]
internal sealed partial class CodesJson : JsonSerializerContext;
