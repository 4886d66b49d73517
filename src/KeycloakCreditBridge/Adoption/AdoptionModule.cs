using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Adoption;

internal static class AdoptionModule
{
    public static void AddAdoption(this IHostApplicationBuilder builder)
    {
        builder.AddSection<AdoptedCreditsOptions, AdoptedCreditsOptionsValidator>(AdoptedCreditsOptions.Section);
        builder.Services.AddSingleton<Adopter>();
    }
}
