using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Rules;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Cli.Grants.Policies;

/// <summary>Signs an invitation. It reads no database.</summary>
internal static class InviteCommand
{
    private static readonly Option<string> Campaign = new("--campaign")
    {
        Description = "What rules ask for by When:Invite, such as spring-2027.",
        HelpName = "NAME",
        Required = true,
        Validators =
        {
            result =>
            {
                if (!InviteLinks.IsCampaign(result.GetValueOrDefault<string>() ?? ""))
                    result.AddError("--campaign takes a to z, 0 to 9, - and _, at most 40 characters, such as spring-2027.");
            },
        },
    };

    private static readonly Option<DateTimeOffset?> Until = new("--until")
    {
        Description = "Until when it counts, UTC without an offset: 2026-12-31 or 2026-12-31T08:00:00Z.",
        HelpName = "WHEN",
        Required = true,
        CustomParser = result => InstantArgument.Parse(result),
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("invitation");

    public static Command Command(CommandHost host)
    {
        var command = new Command(
            "invite", "Sign an invitation: what links of a campaign carry as ref, for rules of the welcome with When:Invite.")
        {
            Campaign, Until, Json,
        };
        command.SetAction(async (parsed, _) =>
        {
            await using var app = host.BuildCommand(host.Settings(parsed));
            ConfigurationCheck.Run(app.Services, [GrantsOptions.Section]);
            var key = app.Services.GetRequiredService<IOptions<GrantsOptions>>().Value.InviteKey;
            if (key.Length == 0)
                throw new ConfigurationException([$"{GrantsOptions.Section}:InviteKey is empty: give the secret that signs invitations."]);
            var (campaign, until) = (parsed.GetRequiredValue(Campaign), parsed.GetValue(Until)!.Value);
            var invite = new InviteLinks(key).Make(campaign, until);
            await Console.Out.WriteLineAsync(parsed.GetValue(Json)
                ? JsonSerializer.Serialize(new SignedInvite(campaign, until, invite), InviteJson.Default.SignedInvite)
                : invite);
            return ExitCode.Done;
        });
        return command;
    }
}

/// <summary>The line of `grants invite --json`.</summary>
/// <param name="Ref">What a link carries.</param>
internal sealed record SignedInvite(string Campaign, DateTimeOffset Until, string Ref);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(SignedInvite))]
internal sealed partial class InviteJson : JsonSerializerContext;
