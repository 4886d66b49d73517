using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Claims;

/// <summary>The command `claims`: forgets an address that grants were given for.</summary>
internal static class ClaimsCommand
{
    private const string Forget =
        """
        Forget that grants were given for an address and its inbox, by the present key and the previous ones. Another account with that
        address can earn them again. Needs PostgreSQL only.
        """;

    private static readonly Argument<string> Address = new("ADDRESS") { Description = "The whole e-mail address." };

    private static readonly Option<bool> Json = ResultSyntax.Json("run");

    public static Command Command(CommandHost host)
    {
        var forget = new Command("forget", Forget) { Address, Json };
        forget.Validators.Add(result =>
        {
            if (result.GetValue(Address)?.Trim() is not { Length: > 2 and <= 320 } address
                || address.IndexOf('@', StringComparison.Ordinal) < 1)
                result.AddError("ADDRESS is no e-mail address: give it whole, such as ana@example.com.");
        });
        forget.SetAction((parsed, _) =>
            ForgetAsync(host, host.Settings(parsed), parsed.GetRequiredValue(Address), parsed.GetValue(Json)));
        return new Command("claims", "Look after what is remembered of addresses that grants were given for.") { forget };
    }

    private static Task<int> ForgetAsync(CommandHost host, string[] settings, string address, bool json) => DatabaseSession.RunAsync(
        host, settings, [StorageOptions.Section, ProvisioningOptions.Section], async (services, cancellationToken) =>
        {
            var keys = services.GetRequiredService<ClaimKeys>();
            if (!keys.IsSet)
            {
                throw new ConfigurationException(
                    [$"{ProvisioningOptions.Section}:SignupGrant:EmailKey is empty: no address is remembered."]);
            }

            var forgotten = await services.GetRequiredService<ClaimStore>().ForgetAsync(
                keys.AllOf(address), "command", services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken);
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new ForgottenClaims(forgotten.Count, [.. forgotten.Select(claim => claim.Policy).Distinct()]),
                    ClaimsJson.Default.ForgottenClaims)
                : forgotten.Count == 0
                    ? "Nothing is remembered of this address."
                    : string.Create(CultureInfo.InvariantCulture, $"Forgot {forgotten.Count} claims: ")
                        + $"{string.Join(", ", forgotten.Select(claim => $"{claim.Kind} {Printable.Of(claim.Policy)}").Distinct())}.");
            return ExitCode.Done;
        });
}

/// <summary>The line of `claims forget --json`.</summary>
/// <param name="Policies">The grants that they were for.</param>
internal sealed record ForgottenClaims(int Claims, IReadOnlyList<string> Policies);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ForgottenClaims))]
internal sealed partial class ClaimsJson : JsonSerializerContext;
