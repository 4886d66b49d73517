using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting.Addresses;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Management;

/// <summary>Where operators read metrics and details of health.</summary>
[OfReplica]
internal sealed class ManagementOptions
{
    public const string Section = "Management";

    /// <summary>
    /// A second address to listen on, for example http://+:9085, at which alone metrics and details are told. Without it they are
    /// told on this machine only.
    /// </summary>
    public string Url { get; set; } = "";

    /// <summary>The address in its parts; null when there is none.</summary>
    public BindingAddress? Address => Url.Length == 0 ? null : ManagementAddress.Parse(Url);
}

internal sealed class ManagementOptionsValidator(IConfiguration configuration) : IValidateOptions<ManagementOptions>
{
    public ValidateOptionsResult Validate(string? name, ManagementOptions options)
    {
        if (options.Url.Length == 0)
            return ValidateOptionsResult.Success;
        if (options.Address is not { Scheme: "http" or "https", PathBase: "", IsUnixPipe: false, IsNamedPipe: false, Port: > 0 } address)
            return ValidateOptionsResult.Fail(
                "Management:Url is no http or https address with a port and without a path: give one such as http://+:9085.");
        return ListenAddresses.Of(configuration).Count(other => ManagementAddress.Parse(other)?.Port == address.Port) > 1
            ? ValidateOptionsResult.Fail(
                $"Management:Url has the port {address.Port}, on which the bridge listens already: choose another one, such as 9085.")
            : ValidateOptionsResult.Success;
    }
}
